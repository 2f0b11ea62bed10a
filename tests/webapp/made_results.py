"""Rows, exhibits and finished results made up for tests of the web app, with no engine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from analyses import build
from flask import Flask

from detector.progress import Progress
from detector.sandboxed_engine import EngineJob
from detector.schema.analysis import Analysis
from detector.schema.summary import summarise
from reports.bundle import manifest
from reports.file_names import MANIFEST
from webapp.custody import custody_log, job_records
from webapp.exhibits.uploads import exhibits
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.finding_columns import finding_columns
from webapp.storage.tables import AnalysisRow, State, now

HOSTILE = "<script>alert(1)</script>\"'><img src=x>"
REPORT_PDF = b"%PDF-1.7 stand-in\n" * 400


def write_result(analysis: Analysis, folder: Path) -> None:
    """The files of a finished result, with stand-ins for reports, which earlier versions kept in it."""
    (folder / "analysis.json").write_text(analysis.to_json())
    (folder / "report.html").write_text("<!doctype html><style>p{color:red}</style><p>report</p>")
    (folder / "report.pdf").write_bytes(REPORT_PDF)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    listed = manifest.new_manifest(analysis, "result").model_copy(
        update={"files": manifest.file_entries(folder, names)}
    )
    (folder / MANIFEST).write_bytes(manifest.manifest_files(listed)[MANIFEST])


def made_result(path: Path, file: str, folder: Path, **changes: Any) -> Analysis:
    """What the engine would leave in ``folder`` of the exhibit at ``path``: :func:`analyses.build`."""
    analysis = build(folder, **({"segments": 1, "file": file, "sha256": path.name} | changes))
    write_result(analysis, folder)
    return analysis


def engine(
    job: EngineJob, folder: Path, progress: Progress, _limits: object, _ready: object = None
) -> Analysis:
    """Stand-in for :func:`webapp.worker.run_analysis.make_analysis`."""
    assert job.path.is_file()
    progress("scoring", 0.5)
    return made_result(job.path, job.file, folder)


def hand_in(
    app: Flask,
    content: bytes = b"exhibit",
    file: str = "clip.mp4",
    model: str | None = None,
    settings_changed: dict[str, Any] | None = None,
) -> AnalysisRow:
    """A queued analysis of an exhibit with these bytes."""
    settings, database = app.extensions["settings"], app.extensions["database"]
    folders = Folders.local(settings.data)
    source = folders.data / "source"
    source.write_bytes(content)
    with database.begin() as session:
        exhibit = exhibits.store_file(session, folders, source, file, spare=0)
        return states.create_analysis(session, exhibit, file, model, settings_changed)


def finished(
    app: Flask, fields: dict[str, Any] | None = None, /, content: bytes | None = None, **changes: object
) -> AnalysisRow:
    """A finished analysis: :func:`analyses.build` with ``changes``, and ``fields`` of the result replaced.

    ``content`` is that of the exhibit, by default something of its own.
    """
    file = str(changes.get("file", "interview.mp4"))
    row = hand_in(app, content or repr(sorted(changes.items(), key=str)).encode(), file)
    folder = Folders.local(app.extensions["settings"].data).result(row.id)
    folder.mkdir()
    analysis = build(folder, **({"file": file, "segments": 1, "sha256": row.exhibit.sha256} | changes))  # type: ignore[arg-type]
    media = analysis.media.model_copy(update={"bytes": row.exhibit.bytes})
    return finish(app, row, analysis.model_copy(update={"media": media} | (fields or {})))


def finish(app: Flask, row: AnalysisRow, analysis: Analysis) -> AnalysisRow:
    """``row`` with ``analysis`` as its result, whose pictures are in its folder."""
    folders, database = Folders.local(app.extensions["settings"].data), app.extensions["database"]
    folder = folders.result(row.id)
    write_result(analysis, folder)
    with database.begin() as session:
        stored = session.get_one(AnalysisRow, row.id)
        stored.state, stored.progress, stored.attempt = State.DONE, 1.0, 1
        stored.started = stored.finished = now()
        stored.verdict, stored.probability = analysis.verdict.value, analysis.probability
        stored.duration, stored.frame_rate = analysis.media.duration, analysis.media.frame_rate
        stored.summary = json.dumps(summarise(analysis))
        for name, value in finding_columns(stored.verdict, stored.summary).items():
            setattr(stored, name, value)
        custody_log.append(
            session,
            "analysis finished",
            {
                "attempt": 1,
                "verdict": analysis.verdict.value,
                "probability": job_records.format_probability(analysis.probability),
                job_records.SUMMARY_SHA256: job_records.sha256_of_text(stored.summary),
                "manifest sha256": digest((folder / MANIFEST).read_bytes()),
            },
            exhibit=row.exhibit.sha256,
            analysis=row.id,
        )
    if analysis.segments:
        from webapp.exhibits.media.previews import make_thumbnail

        make_thumbnail(analysis, folder, folders.data / row.exhibit.path, folders.thumbnail(row.id))
    return stored


def digest(content: bytes) -> str:
    """SHA-256 as exhibits are named."""
    return hashlib.sha256(content).hexdigest()

"""Small bundles, results and reports for tests of what checks them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from analyses import build
from weasyprint import HTML, Attachment

from detector.schema.analysis import Analysis
from reports.bundle import review_bundle
from reports.bundle.manifest import Signer, file_entries, manifest_files, new_manifest
from reports.custody.format import Action, entry_body, export_parts, sign_entry
from reports.exports.tables import scores_csv
from reports.render.pdf_conformance import PLACEHOLDER
from reports.render.pdf_conformance import with_digest as sealed_pdf
from reports.review.annotation_file import checksum, file_text, to_json
from reports.review.annotations import ANNOTATION, Annotation

MOMENT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEY = b"k" * 32
ANALYSIS_ID = "c" * 32


def said(exhibit: str = "agree") -> Annotation:
    """One annotation on the exhibit."""
    return ANNOTATION.validate_python(
        {
            "id": "a" * 32,
            "author": "Ada",
            "made": MOMENT.isoformat(),
            "kind": "exhibit",
            "verdict": exhibit,
            "note": "",
        }
    )


def custody(exhibit: str) -> bytes:
    """A log of four entries, three of them about ``exhibit``: taken in, queued, and :func:`said` of it."""
    annotated = {"id": said().id, "sha256": checksum([to_json(said())])}
    acts: tuple[tuple[Action, str | None, dict[str, str]], ...] = (
        ("intake", None, {}),
        ("analysis queued", ANALYSIS_ID, {}),
        ("annotation", ANALYSIS_ID, annotated),
    )
    return logged(exhibit, *acts, others=1)


def logged(exhibit: str, *acts: tuple[Action, str | None, Mapping[str, str | int]], others: int = 0) -> bytes:
    """A log with these entries, action, analysis and details each; ``others`` are about another exhibit."""
    zeros, entries, of_exhibit = "0" * 64, [], "0" * 64
    previous = zeros
    about = [(exhibit, act) for act in acts]
    about[1:1] = [("b" * 64, ("view", None, {}))] * others  # behind the first one
    for number, (subject, (action, analysis, details)) in enumerate(about, 1):
        done = entry_body(MOMENT, "Ada", action, exhibit=subject, analysis=analysis, details=details)
        before = of_exhibit if subject == exhibit else zeros
        entries.append(sign_entry(done, number, previous, before, KEY))
        previous = entries[-1].sha256
        of_exhibit = previous if subject == exhibit else of_exhibit
    own = [entry for entry in entries if entry.exhibit == exhibit]
    last = entries[-1]
    return "".join(export_parts(exhibit, len(entries), last.sha256, last.mac, MOMENT, own)).encode()


def whole_log(exhibit: str) -> bytes:
    """A log exported whole: four entries, about no exhibit, ``exhibit``, another one, and ``exhibit``."""
    zeros, entries, last_of = "0" * 64, [], {}
    for number, about in enumerate((None, exhibit, "b" * 64, exhibit), 1):
        previous = entries[-1].sha256 if entries else zeros
        of_exhibit = last_of.get(about, zeros) if about else zeros
        done = entry_body(MOMENT, "Ada", "view", exhibit=about)
        entries.append(sign_entry(done, number, previous, of_exhibit, KEY))
        last_of[about] = entries[-1].sha256
    last = entries[-1]
    return "".join(export_parts(None, len(entries), last.sha256, last.mac, MOMENT, entries)).encode()


def small_pdf(attached: dict[str, bytes], quoted: str = "", **stated: str) -> bytes:
    """A report of one page that carries files and gives their SHA-256; ``stated`` gives others for some.

    ``quoted`` stands before them, as what others said does in a report, behind them and above the page.
    """
    return _one_page(tuple(attached.items()), quoted, tuple(stated.items()))


@cache
def _one_page(
    attached: tuple[tuple[str, bytes], ...], quoted: str, stated: tuple[tuple[str, str], ...]
) -> bytes:
    """Hundreds of tests ask for the same few."""
    given = dict(stated)
    rows = "".join(
        f"<p>{name}: <code>{given.get(name.partition('.')[0], hashlib.sha256(data).hexdigest())}</code></p>"
        for name, data in attached
    )
    style = f"<style>@page {{ margin: 20mm; @top-left {{ content: '{quoted}' }} }}</style>"
    linked = "".join(f'<a href="#{name}">{name}</a>' for name in ("signature", "reader"))
    page = (
        f"<html lang=en><title>t</title>{style}<h1>Report</h1><p>{quoted}</p>{linked}"
        f"<h2 id=signature>Integrity</h2>{rows}<h2 id=reader>Annex</h2><p>{quoted}</p>"
    )
    files = [Attachment(string=data, name=name) for name, data in attached]
    made = HTML(string=page).write_pdf(
        pdf_variant="pdf/ua-1", pdf_identifier=PLACEHOLDER, attachments=files, full_fonts=False
    )
    return sealed_pdf(bytes(made))


def small_analysis(folder: Path) -> Analysis:
    """One person, one segment with one peak, few scores; its pictures lie in ``folder``."""
    return build(folder, persons=1, segments=1, peaks=1, count=3, picture=(16, 9))


EXHIBIT = b"an exhibit that plays"


Act = tuple[Action, str | None, Mapping[str, str | int]]


def contents(
    folder: Path,
    *,
    pdf: bool = True,
    played: bytes | None = None,
    annotations: Sequence[Annotation] | None = None,
    entries: Sequence[Act] = (),
) -> tuple[Analysis, dict[str, bytes | Path]]:
    """An analysis and the files of a bundle of it: of :data:`EXHIBIT`, where something is ``played``.

    ``annotations`` and ``entries`` of its log are those of :func:`said` and :func:`custody` unless given.
    """
    analysis = small_analysis(folder)
    if played is not None:
        facts = {"bytes": len(EXHIBIT), "sha256": hashlib.sha256(EXHIBIT).hexdigest()}
        analysis = analysis.model_copy(update={"media": analysis.media.model_copy(update=facts)})
    text = analysis.to_json().encode()
    digest = hashlib.sha256(text).hexdigest()
    files: dict[str, bytes | Path] = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")
    }
    annotated = file_text(
        [said()] if annotations is None else annotations,
        analysis=ANALYSIS_ID,
        analysis_sha256=digest,
        exhibit_sha256=analysis.media.sha256,
        saved=MOMENT,
    ).encode()
    files |= {
        "analysis.json": text,
        "annotations.json": annotated,
        "custody.json": logged(analysis.media.sha256, *entries)
        if entries
        else custody(analysis.media.sha256),
        "case.json": b'{"case_number": "12/26"}\n',
        "report.html": f"<p>{digest}</p>".encode(),
    }
    if played is not None:
        files |= {"media/exhibit.mp4": played, "index.html": b"<p>", "README.txt": b"-"}
    if pdf:
        files["report.pdf"] = small_pdf(
            {"analysis.json": text, "scores.csv": scores_csv(analysis), "annotations.json": annotated}
        )
    return analysis, files


def small_bundle(
    folder: Path, *, pdf: bool = True, signer: Signer | None = None, played: bytes | None = None
) -> Path:
    """A bundle of some kilobytes, at ``folder``/bundle.zip."""
    pictures = folder / "pictures"
    pictures.mkdir()
    analysis, files = contents(pictures, pdf=pdf, played=played)
    path = folder / "bundle.zip"
    review_bundle.write_bundle(path, files, new_manifest(analysis, "bundle", analysis_id=ANALYSIS_ID), signer)
    return path


def small_result(
    folder: Path,
    signer: Signer | None = None,
    *,
    annotations: Sequence[Annotation] | None = None,
    entries: Sequence[Act] = (),
) -> Path:
    """The folder of a result, as small; ``annotations`` and ``entries`` as of :func:`contents`."""
    folder.mkdir()
    analysis, files = contents(folder, annotations=annotations, entries=entries)
    for name, data in files.items():
        if isinstance(data, bytes):
            (folder / name).write_bytes(data)
    manifest = new_manifest(analysis, "result").model_copy(update={"files": file_entries(folder, files)})
    case, log = files["case.json"], files["custody.json"]
    assert isinstance(case, bytes) and isinstance(log, bytes)
    for name, data in manifest_files(manifest, case=case, custody=log, signer=signer).items():
        (folder / name).write_bytes(data)
    return folder

"""Create a validation from labelled analyses: the analyses on offer, the table of labels, the process."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import current_app

from detector.files import ROOT, publish_folder
from detector.process.signals import environment_of_child
from reports.language import translation
from reports.language.translation import gettext, translated
from webapp import context
from webapp.analyses import results
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.models import service as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State
from webapp.validations import quoted_extract

COLUMNS = ("file", "label", "generator", "group", "segments", "persons", "skin_tone", "sex")
_TIME_LIMIT = 600  # seconds; a thousand exhibits take a minute
_PATIENCE = 30  # seconds for another one that is being made
_MAKING = threading.Lock()
_LONGEST = 120  # characters of a name


def offered_analyses(rows: Sequence[AnalysisRow]) -> list[AnalysisRow]:
    """Of the analyses of a case the newest finished one of each exhibit, in order of their names.

    Of an exhibit that none could be made of, the newest that failed: who measures may not leave it out.
    """
    newest: dict[int, AnalysisRow] = {}
    for row in sorted(rows, key=lambda each: (each.state == State.DONE, each.created)):
        if row.state in (State.DONE, State.FAILED):
            newest[row.exhibit_id] = row
    return sorted(newest.values(), key=lambda each: (each.file, each.id))


def empty_table(rows: Sequence[AnalysisRow]) -> str:
    """A table of labels to be filled in."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    names = [row.file for row in rows]
    for row in rows:
        name = row.file if names.count(row.file) == 1 else row.exhibit.sha256
        writer.writerow([name] + [""] * (len(COLUMNS) - 1))
    return out.getvalue()


def create_validation(
    rows: Sequence[AnalysisRow],
    table: str,
    title: str,
    laboratory: str,
    sign: Callable[[Path], None],
    language_code: str = translation.DEFAULT,
) -> str:
    """Work out a validation of labelled analyses; its id. Raises :class:`UserError` in words.

    ``sign`` signs what lies in its folder, where there is a key. ``language_code`` is of its report.
    """
    settings = context.settings()
    folders, title = Folders.of(settings), " ".join(title.split())[:_LONGEST]
    if not title:
        raise UserError(
            400, gettext("The material has no name."), gettext("Say what it is called."), field="title"
        )
    with context.database().begin() as session:
        model = model_service.default_model(session, folders)
        card = model_service.card_path(folders, model)
    given: dict[str, object] = {
        "title": title,
        "laboratory": " ".join(laboratory.split())[:_LONGEST],
        "language": language_code,
        "model": model,
        "card": str(card),
        "table": table,
        "analyses": [_for_validation(folders, row) for row in rows],
    }
    new = secrets.token_hex(16)
    if not _MAKING.acquire(timeout=_PATIENCE):
        raise UserError(503, gettext("Another validation is being made."), gettext("Try again in a minute."))
    try:
        _make(given, new, title, folders, sign)
    finally:
        _MAKING.release()
    return new


def _make(
    given: dict[str, object], new: str, title: str, folders: Folders, sign: Callable[[Path], None]
) -> None:
    """Make the folder of the validation ``new``, and record it; whole, or none is there."""
    aside, place = folders.validations / f".{new}", folders.validation(new)
    try:
        aside.mkdir(mode=0o700)
        _run_process(given, aside)
        sign(aside)
        made = hashlib.sha256((aside / "validation.json").read_bytes()).hexdigest()
        details: custody_log.EntryDetails = {"what": quoted_extract.MADE, "validation": new, "title": title}
        with context.database().alone() as session:
            custody_log.append(session, "configuration", {**details, "validation sha256": made})
            publish_folder(aside, place)  # last: once its entry is as good as written
    except BaseException:
        with contextlib.suppress(OSError):
            place.rename(aside)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _for_validation(folders: Folders, row: AnalysisRow) -> dict[str, object]:
    """An analysis as a validation uses it, refused where its result is not as it was made."""
    known: dict[str, object] = {
        "name": row.file,
        "sha256": row.exhibit.sha256,
        "bytes": row.exhibit.bytes,
    }
    if row.state == State.FAILED:
        return known | {"error": row.error or "It could not be analysed."}
    place = results.result_folder(context.database(), folders, row)
    results.read_analysis_json(place)
    return known | {"folder": str(place)}


def _run_process(given: dict[str, object], out: Path) -> None:
    """Have :mod:`webapp.validations.compute` write a validation of what is ``given`` into ``out``.

    Raises :class:`UserError`: 400 for labels that cannot be used, which its exit status 2 says, else 500.
    """
    command = [sys.executable, "-m", "webapp.validations.compute", str(out)]
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=environment_of_child(),
            input=json.dumps(given).encode(),
            capture_output=True,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            500, gettext("The validation took too long."), gettext("Make it of fewer exhibits.")
        ) from None
    if ended.returncode == 2:
        raise UserError(
            400,
            translated(ended.stderr.decode(errors="replace").strip()[-500:]),
            gettext("Correct the labels."),
            field="table",
        )
    if ended.returncode:
        current_app.logger.error("a validation failed: %s", ended.stderr.decode(errors="replace")[-2000:])
        raise UserError(
            500,
            gettext("The validation could not be made."),
            gettext("The terminal Reelproof runs in says why."),
        )

"""Rendered reports, kept until one of their inputs changes, and the lock held while one is rendered."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.files import hash_file, publish_folder
from detector.timestamps import iso_milliseconds
from detector.version import __version__
from language.languages import DEFAULT
from reports.bundle.manifest import CustodyHead
from reports.file_names import CUSTODY
from reports.inputs.case import CaseDetails
from reports.inputs.case import case_details as parsed_case
from reports.review.annotation_file import canonical, parse, to_json
from reports.review.annotations import Annotation
from reports.wording.lengths import FULL, Length
from webapp.casework import details as case_details
from webapp.casework import reviews
from webapp.custody import custody_log, integrity
from webapp.downloads import quoted_extract
from webapp.exhibits import annotations as annotation_service
from webapp.exhibits import queries as analysis_queries
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import mac
from webapp.storage.tables import AnalysisRow, Condition, CustodyRow, Exhibit, State

_POLL_INTERVAL = 0.05  # seconds


@contextlib.contextmanager
def hold_report_lock(folders: Folders, analysis_id: str, patience: float) -> Iterator[bool]:
    """Hold the lock for rendering reports of an analysis; yield False after ``patience`` seconds.

    File systems that cannot lock folders always grant it; then a report may be rendered twice.
    """
    with hold_folder_lock(folders.reports_of(analysis_id), patience) as is_locked:
        yield is_locked


@contextlib.contextmanager
def hold_folder_lock(folder: Path, patience: float) -> Iterator[bool]:
    """Hold the lock of a folder, which is made if it is missing; likewise."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, deadline = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), time.monotonic() + patience
    try:
        while not (is_locked := _try_lock(lock, fcntl.LOCK_EX)) and time.monotonic() < deadline:
            time.sleep(_POLL_INTERVAL)
        yield is_locked
    finally:
        os.close(lock)


def report_status(folders: Folders, row: AnalysisRow) -> Literal["being made", "available"] | None:
    """Return the state of an analysis's report; None before the analysis is done.

    A report that is not kept is available, too: it is rendered on demand. For
    second reviewers who have yet to judge it always is: rendering begins when others annotate or judge.
    """
    if row.state != State.DONE:
        return None
    if analysis_queries.is_activity_hidden(row):
        return "available"
    return "being made" if is_rendering(folders, row.id) else "available"


def is_rendering(folders: Folders, analysis_id: str) -> bool:
    """Return whether a report is being rendered, on this machine or one that shares its locks."""
    try:
        lock = os.open(folders.reports_of(analysis_id), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        pass
    return True


# Renders a report from analysis.json, further inputs and the text of the log into a folder.
Render = Callable[[Path, dict[str, object], bytes | None, Path], None]

MACS = "macs.json"
_INPUTS = "inputs.json"
EXPORTS = "exports"  # the folder of kept exports beside the reports, which depend on the result alone
_GRACE = 600  # seconds in which a requested report may still be read, for instance into a bundle
# Frequent acts that change nothing in a report, so that it need not be rendered again.
_PASSING = ("view", "export", "integrity check")


@dataclass(frozen=True)
class RenderedFrom:
    """The annotations and case details in a kept report, for files that must not contradict it."""

    annotations: tuple[Annotation, ...]
    case: CaseDetails
    compared: tuple[str, ...]  # ids of comparisons with references


def rendered_from(place: Path) -> RenderedFrom:
    """Read the inputs of the unaltered report in the folder ``place``."""
    inputs = json.loads((place / _INPUTS).read_bytes())
    return RenderedFrom(
        tuple(map(parse, inputs["annotations"])), parsed_case(inputs["case"]), tuple(inputs["comparisons"])
    )


def log_beside(session: Session, sha256: str, place: Path) -> bytes:
    """Export the log of an exhibit to go with the report in ``place``, which contains an earlier export.

    It ends before the first entry that the report does not reflect. Otherwise it could mention, for instance,
    an annotation that the other files lack.
    """
    count = CustodyHead.model_validate_json((place / CUSTODY).read_bytes()).count
    newer_entries = (
        CustodyRow.exhibit == sha256,
        CustodyRow.number > count,
        CustodyRow.action.not_in(_PASSING),
    )
    first = session.scalar(select(func.min(CustodyRow.number)).where(*newer_entries))
    return custody_log.export_log(session, sha256, until=None if first is None else first - 1)


@dataclass(frozen=True)
class _Inputs:
    """The current inputs of a report."""

    annotations: list[dict[str, Any]]
    case: dict[str, Any]
    last_act: str | None
    condition: str
    laboratory: bytes | None
    second_review: str | None


@dataclass(frozen=True)
class KeptReport:
    """The report of one analysis in one language and length, with or without the custody log.

    ``compared`` are the ids of its comparisons with references; ``key`` is the key file of the custody log.
    """

    database: Database
    folders: Folders
    key: Path
    row: AnalysisRow
    compared: Sequence[str] = ()
    with_log: bool = True
    language_code: str = DEFAULT
    length: Length = FULL

    def kept(self) -> Path | None:
        """Return the folder of an unaltered report for the current inputs, if there is one.

        The folder remains long enough to send the report.
        """
        with self.database.begin() as session:
            place = self._place(self._inputs(session))
        if not self._unaltered(place):
            return None
        os.utime(place)
        return place

    def make(self, render: Render, stopping: Callable[[], bool] = lambda: False) -> Path:
        """Hash the exhibit, render the report and return its folder. The caller must hold the lock.

        Raises ``InterruptedError`` while hashing, as soon as ``stopping`` returns True.
        """
        row = self.row
        check = integrity.check_exhibit(self.database, self.folders, row.exhibit, stopping=stopping)
        # Read the inputs after the check, whose outcome is one of them; one snapshot keeps log and inputs
        # consistent.
        with self.database.snapshot() as session:
            inputs = self._inputs(session)
            log_text = custody_log.export_log(session, row.exhibit.sha256) if self.with_log else None
        place = self._place(inputs)
        stored_inputs = {
            "annotations": inputs.annotations,
            "case": inputs.case,
            "comparisons": list(self.compared),
        }
        all_inputs: dict[str, object] = stored_inputs | {
            "language": self.language_code,
            "length": self.length,
            "check": asdict(check) | {"checked": iso_milliseconds(check.checked)},
            "laboratory": inputs.laboratory.decode() if inputs.laboratory is not None else None,
            "second_review": inputs.second_review,
        }
        if place.exists():
            shutil.rmtree(place)
        render(self.folders.result(row.id) / "analysis.json", all_inputs, log_text, place)
        (place / _INPUTS).write_text(json.dumps(stored_inputs))
        (place / MACS).write_text(json.dumps(self._sums(place)))
        self._refuse_deleted()
        return place

    def _inputs(self, session: Session) -> _Inputs:
        """Collect the current inputs except the text of the log."""
        row = self.row
        condition = session.scalar(select(Exhibit.condition).where(Exhibit.id == row.exhibit_id))
        review = reviews.find_review(session, analysis_queries.reload_row(session, row.id))
        return _Inputs(
            annotations=[
                to_json(annotation) for annotation in annotation_service.list_annotations(session, row.id)
            ],
            case=case_details.read_details(session, row.id).model_dump(),
            last_act=_last_act(session, row.exhibit.sha256) if self.with_log else "without the log",
            condition=condition or Condition.FITS,
            laboratory=quoted_extract.read_quoted_extract(session, self.folders),
            second_review=review.disclosed.to_json() if review is not None else None,
        )

    def _place(self, inputs: _Inputs) -> Path:
        hashed_text = canonical(
            [
                inputs.annotations,
                inputs.case,
                inputs.last_act,
                inputs.condition,
                list(self.compared),
                hashlib.sha256(inputs.laboratory or b"").hexdigest(),
                inputs.second_review,
                __version__,
                *([] if self.language_code == DEFAULT else [self.language_code]),
                *([] if self.length == FULL else [self.length]),
            ]
        )
        name = hashlib.sha256(hashed_text.encode()).hexdigest()[:32]
        return self.folders.reports_of(self.row.id) / name

    def _unaltered(self, place: Path) -> bool:
        """Return whether the folder contains the report as it was rendered."""
        try:
            sums = self._sums(place)
            # Earlier versions did not store the inputs.
            return _INPUTS in sums and json.loads((place / MACS).read_bytes()) == sums
        except (OSError, ValueError):
            return False

    def _refuse_deleted(self) -> None:
        """Remove the report if its analysis was deleted during rendering, because nothing else removes it."""
        with self.database.begin() as session:
            if session.get(AnalysisRow, self.row.id) is not None:
                return
            error = analysis_queries.not_found_error(session, self.row.id)
        shutil.rmtree(self.folders.reports_of(self.row.id), ignore_errors=True)
        raise error

    def _sums(self, place: Path) -> dict[str, str]:
        return file_macs(self.key, place, 2)


def file_macs(key: Path, place: Path, parts: int) -> dict[str, str]:
    """Compute a MAC of each file in a folder with the key file ``key``, without which nobody makes others.

    The last ``parts`` of the folder's path are part of it, which binds the MAC to this report or export.
    """
    below = "/".join(place.parts[-parts:])
    return {
        path.name: mac(key_files.read_key(key), "report", f"{below}/{path.name}\0{hash_file(path)[1]}")
        for path in sorted(place.iterdir())
        if path.name != MACS
    }


@contextlib.contextmanager
def unfinished_folder(log_text: bytes | None, place: Path) -> Iterator[Path]:
    """Provide a folder to render into; at the end it becomes ``place``, and older reports are removed.

    Reports that were requested a moment ago stay, because somebody may still be reading them.
    """
    temporary = place.parent / f".{secrets.token_hex(8)}"
    temporary.mkdir(mode=0o700, parents=True)
    try:
        if log_text is not None:
            (temporary / CUSTODY).write_bytes(log_text)
        yield temporary
        publish_folder(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for folder in place.parent.iterdir():
        is_abandoned = folder.name.startswith(".")  # its renderer was killed
        is_old = time.time() - folder.stat().st_mtime > _GRACE
        if folder not in (place, place.parent / EXPORTS) and (is_abandoned or is_old):
            shutil.rmtree(folder, ignore_errors=True)


def _last_act(session: Session, sha256: str) -> str | None:
    query = select(CustodyRow.sha256).where(CustodyRow.exhibit == sha256, CustodyRow.action.not_in(_PASSING))
    return session.scalar(query.order_by(CustodyRow.number.desc()).limit(1))

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
from reports.bundle.manifest import CustodyHead
from reports.file_names import CUSTODY
from reports.inputs.case import CaseDetails
from reports.inputs.case import case_details as parsed_case
from reports.language.languages import DEFAULT
from reports.review.annotation_file import canonical, parse, to_json
from reports.review.annotations import Annotation
from webapp.analyses import queries as analysis_queries
from webapp.cases import details as case_details
from webapp.custody import custody_log, integrity
from webapp.review import annotations as annotation_service
from webapp.review import queries
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import mac
from webapp.storage.tables import AnalysisRow, Condition, CustodyRow, Exhibit, State
from webapp.validations import quoted_extract

_LOOK_EVERY = 0.05  # seconds


@contextlib.contextmanager
def hold_report_lock(folders: Folders, analysis_id: str, patience: float) -> Iterator[bool]:
    """Hold the lock for rendering reports of an analysis; False if another had it for ``patience`` seconds.

    Where the file system knows no locks of folders everybody gets it: then a report may be rendered twice.
    """
    place = folders.reports_of(analysis_id)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock, until = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), time.monotonic() + patience
    try:
        while not (mine := _locked(lock, fcntl.LOCK_EX)) and time.monotonic() < until:
            time.sleep(_LOOK_EVERY)
        yield mine
    finally:
        os.close(lock)


def report_status(folders: Folders, row: AnalysisRow) -> Literal["being made", "available"] | None:
    """How the report of an analysis stands, for programs and pages; None before the analysis is done.

    One that is not kept is available too: it is rendered when somebody asks for it.
    """
    if row.state != State.DONE:
        return None
    return "being made" if is_rendering(folders, row.id) else "available"


def is_rendering(folders: Folders, analysis_id: str) -> bool:
    """Whether a report of an analysis is rendered now, on this machine or one that shares its locks."""
    try:
        lock = os.open(folders.reports_of(analysis_id), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _locked(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


Render = Callable[[Path, dict[str, object], bytes | None, Path], None]
"""Renders a report, given ``analysis.json``, what stands beside it, the text of the log, and the place."""

_SUMS = "macs.json"
_INPUTS = "inputs.json"
_HANDED_OUT = 600  # seconds after it was asked for in which a report may still be read, say into a bundle
# What is done so often, and changes nothing in a report, that none is rendered anew for it.
_PASSING = ("view", "export", "integrity check")


@dataclass(frozen=True)
class RenderedFrom:
    """What a kept report says of what people did, for files that must not contradict it."""

    annotations: tuple[Annotation, ...]
    case: CaseDetails
    compared: tuple[str, ...]  # ids of comparisons with references


def rendered_from(place: Path) -> RenderedFrom:
    """What the report in the folder ``place``, which is unaltered, was rendered from."""
    kept = json.loads((place / _INPUTS).read_bytes())
    return RenderedFrom(
        tuple(map(parse, kept["annotations"])), parsed_case(kept["case"]), tuple(kept["comparisons"])
    )


def log_beside(session: Session, sha256: str, place: Path) -> bytes:
    """The log of an exhibit as it is handed out beside the report in ``place``, which holds one.

    It goes on from that one up to what the report does not tell of: an annotation made since would be missing
    from the files around it.
    """
    told = CustodyHead.model_validate_json((place / CUSTODY).read_bytes()).count
    since = CustodyRow.exhibit == sha256, CustodyRow.number > told, CustodyRow.action.not_in(_PASSING)
    first = session.scalar(select(func.min(CustodyRow.number)).where(*since))
    return custody_log.export_log(session, sha256, until=None if first is None else first - 1)


@dataclass(frozen=True)
class _Inputs:
    """What is said and done until now, as far as it goes into a report."""

    annotations: list[dict[str, Any]]
    case: dict[str, Any]
    last_act: str | None
    condition: str
    laboratory: bytes | None
    second_review: str | None


@dataclass(frozen=True)
class KeptReport:
    """The report of one analysis as one person may have it in one language.

    ``compared`` are the ids of comparisons with references that go into it; ``key`` is the file of the
    custody log's key.
    """

    database: Database
    folders: Folders
    key: Path
    row: AnalysisRow
    compared: Sequence[str] = ()
    with_log: bool = True
    language_code: str = DEFAULT

    def kept(self) -> Path | None:
        """Where the report for what is said and done until now lies; None where there is none, unaltered.

        It stays there for as long as it takes to hand it out.
        """
        with self.database.begin() as session:
            place = self._place(self._inputs(session))
        if not self._unaltered(place):
            return None
        os.utime(place)
        return place

    def make(self, render: Render, stopping: Callable[[], bool] = lambda: False) -> Path:
        """Render it, after the kept exhibit was hashed again; where it lies. Only for who holds the lock.

        Raises ``InterruptedError`` while the exhibit is hashed, as soon as ``stopping`` says so.
        """
        row = self.row
        check = integrity.check_exhibit(self.database, self.folders, row.exhibit, stopping=stopping)
        # Not before the check, which may have found something. As of one moment: the log holds what is said.
        with self.database.snapshot() as session:
            inputs = self._inputs(session)
            log_text = custody_log.export_log(session, row.exhibit.sha256) if self.with_log else None
        place = self._place(inputs)
        kept = {
            "annotations": inputs.annotations,
            "case": inputs.case,
            "comparisons": list(self.compared),
        }
        given: dict[str, object] = kept | {
            "language": self.language_code,
            "check": asdict(check) | {"checked": iso_milliseconds(check.checked)},
            "laboratory": inputs.laboratory.decode() if inputs.laboratory is not None else None,
            "second_review": inputs.second_review,
        }
        if place.exists():
            shutil.rmtree(place)
        render(self.folders.result(row.id) / "analysis.json", given, log_text, place)
        (place / _INPUTS).write_text(json.dumps(kept))
        (place / _SUMS).write_text(json.dumps(self._sums(place)))
        self._refuse_deleted()
        return place

    def _inputs(self, session: Session) -> _Inputs:
        """What goes into it as of now, but for the text of the log."""
        row = self.row
        return _Inputs(
            annotations=[
                to_json(annotation) for annotation in annotation_service.list_annotations(session, row.id)
            ],
            case=case_details.read_details(session, row.id).model_dump(),
            last_act=_last_act(session, row.exhibit.sha256) if self.with_log else "without the log",
            condition=session.scalar(select(Exhibit.condition).where(Exhibit.id == row.exhibit_id))
            or Condition.FITS,
            laboratory=quoted_extract.read_quoted_extract(session, self.folders),
            second_review=_second_review(session, row),
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
            ]
        )
        name = hashlib.sha256(hashed_text.encode()).hexdigest()[:32]
        return self.folders.reports_of(self.row.id) / name

    def _unaltered(self, place: Path) -> bool:
        """Whether a report lies there, and is the one that was rendered."""
        try:
            sums = self._sums(place)
            # Earlier versions did not keep what a report was rendered from.
            return _INPUTS in sums and json.loads((place / _SUMS).read_bytes()) == sums
        except (OSError, ValueError):
            return False

    def _refuse_deleted(self) -> None:
        """Rows go first when an analysis is deleted: nobody else would remove what was rendered meanwhile."""
        with self.database.begin() as session:
            if session.get(AnalysisRow, self.row.id) is not None:
                return
            gone = analysis_queries.not_found_error(session, self.row.id)
        shutil.rmtree(self.folders.reports_of(self.row.id), ignore_errors=True)
        raise gone

    def _sums(self, place: Path) -> dict[str, str]:
        """A MAC of each file of a folder of reports, by name; to change one unseen takes the key."""
        of = "/".join(place.parts[-2:])  # reports rendered for something else do not fit
        files = sorted(path for path in place.iterdir() if path.name != _SUMS)
        return {
            path.name: mac(key_files.read_key(self.key), "report", f"{of}/{path.name}\0{hash_file(path)[1]}")
            for path in files
        }


@contextlib.contextmanager
def unfinished_folder(log_text: bytes | None, place: Path) -> Iterator[Path]:
    """A folder to render a report in, with the log's text; at the end it becomes ``place``, and others go.

    But for those that somebody asked for a moment ago, perhaps in another language, and still reads.
    """
    aside = place.parent / f".{secrets.token_hex(8)}"
    aside.mkdir(mode=0o700, parents=True)
    try:
        if log_text is not None:
            (aside / CUSTODY).write_bytes(log_text)
        yield aside
        publish_folder(aside, place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for older in place.parent.iterdir():
        killed = older.name.startswith(".")  # while it was rendered
        if older != place and (killed or time.time() - older.stat().st_mtime > _HANDED_OUT):
            shutil.rmtree(older, ignore_errors=True)


def _second_review(session: Session, row: AnalysisRow) -> str | None:
    """What is disclosed of the second review, if there is one."""
    found = queries.find_review(session, analysis_queries.reload_row(session, row.id))
    return found.disclosed.to_json() if found is not None else None


def _last_act(session: Session, sha256: str) -> str | None:
    query = select(CustodyRow.sha256).where(CustodyRow.exhibit == sha256, CustodyRow.action.not_in(_PASSING))
    return session.scalar(query.order_by(CustodyRow.number.desc()).limit(1))

"""Whether what is kept is still what the custody log says of it: results, annotations, case details, roles.

Whoever can write to the data folder or the database can change what the app shows, and recompute every hash
beside it, but cannot write the log's entry anew without its key. So what is kept is compared with the entry,
when it is loaded and before it is handed out. What differs is refused and never repaired.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from detector.files import hashed
from reports.bundle import manifest
from reports.custody.format import Entry
from reports.inputs.case import CaseDetails
from reports.review.annotation_file import checksum
from reports.text.language import gettext, stored
from webapp.custody import log as custody_log
from webapp.errors import UserError
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseReview, CustodyRow, ReviewStatement, User

_ROLE = ("account made", "role changed")
_ABLE = {"account made": True, "account enabled": True, "account disabled": False}
_FACTOR = {"second factor set up": True, "second factor removed": False, "second factor reset": False}
_MANIFEST = "manifest sha256"
FINDING = "finding sha256"
"""In an entry of a finished analysis: of what its row holds beside the verdict."""


class AlteredRecord(UserError):
    """Something kept is not what the custody log says of it; it is neither shown nor handed out."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            500,
            gettext("%(problem)s Nothing of it is shown or handed out.", problem=stored(str(problem))),
            gettext(
                "Put it back from a backup of the data folder and the database. `python -m webapp "
                "verify-log` names everything that differs."
            ),
        )


@dataclass(frozen=True)
class Finished:
    """What the log says of a finished analysis; nothing of one that was finished before the log began."""

    manifest: str | None = None  # SHA-256
    verdict: str | None = None
    probability: str | None = None
    finding: str | None = None  # SHA-256

    @classmethod
    def of(cls, entry: Entry) -> Finished:
        """What an entry that an analysis finished says."""
        said = {name: entry.details.get(name) for name in (_MANIFEST, "verdict", "probability", FINDING)}
        return cls(*(None if value is None else str(value) for value in said.values()))

    def row_problem(self, row: AnalysisRow) -> str | None:
        """How the database contradicts it."""
        if self.verdict is not None and self.verdict != row.verdict:
            return "The verdict in the database is not the one that the custody log holds."
        if self.probability is not None and self.probability != probability(row.probability):
            return "The probability in the database is not the one that the custody log holds."
        if row.finding is not None and self.finding != sha256_of(row.finding):
            return "The answers in the database are not those that the custody log holds."
        return None


def sha256_of(text: str) -> str:
    """The SHA-256 of a text that a row holds."""
    return hashlib.sha256(text.encode()).hexdigest()


def probability(value: float | None) -> str:
    """A probability as an entry holds it, exactly."""
    return "none" if value is None else repr(float(value))


def finished(session: Session, row: AnalysisRow) -> Finished:
    """What the log says of a finished analysis; raises :class:`AlteredRecord` where the row differs."""
    entry = custody_log.latest(session, row.id, "analysis finished")
    if entry is None:
        if custody_log.latest(session, row.id, "analysis queued") is not None:
            raise AlteredRecord(gettext("The custody log does not say that this analysis was finished."))
        return Finished()
    if not custody_log.is_own(session, entry):
        raise AlteredRecord(_forged(entry))
    told = Finished.of(entry)
    if problem := told.row_problem(row):
        raise AlteredRecord(problem)
    return told


def manifest_problem(folder: Path, told: Finished) -> str | None:
    """How the manifest of a result differs from what the log says; its files are not looked at."""
    if told.manifest is None:
        return None
    try:
        text = (folder / manifest.NAME).read_bytes()
    except FileNotFoundError:
        return "The manifest of this analysis is missing."
    if hashlib.sha256(text).hexdigest() != told.manifest:
        return "The manifest of this analysis is not the one whose SHA-256 the custody log holds."
    return None


def file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a result as its manifest has it, by path; none where there is no manifest.

    Raises :class:`~reports.bundle.manifest.ManifestError` for one that cannot be read.
    """
    try:
        text = (folder / manifest.NAME).read_bytes()
    except FileNotFoundError:
        return {}
    return {entry.path: entry.sha256 for entry in manifest.read_manifest(text).files}


def file_problems(folder: Path) -> Iterator[str]:
    """Which files of a result are not what its manifest says, in words; reads all of them."""
    try:
        sums = file_sums(folder)
    except manifest.ManifestError as problem:
        yield str(problem)
        return
    for path, sha256 in sums.items():
        try:
            fits = hashed(folder / path)[1] == sha256
        except OSError:
            fits = False
        if not fits:
            yield f"{path} of this analysis is missing or was changed since it was made."


def refuse_altered_annotations(session: Session, analysis_id: str, rows: Iterable[AnnotationRow]) -> None:
    """Raise :class:`AlteredRecord` where the annotations of an analysis are not those that were logged."""
    rows, own = tuple(rows), (CustodyRow.analysis == analysis_id, CustodyRow.action == "annotation")
    state = _state(session, rows, *own)
    if _fitting.get(analysis_id) == state:
        return
    logged: dict[str, str | None] = {}
    for entry in custody_log.of_query(session, *own):
        if not custody_log.is_own(session, entry):
            raise AlteredRecord(_forged(entry))
        logged[str(entry.details.get("id"))] = _text(entry.details.get("sha256"))
    since = bool(logged) or custody_log.latest(session, analysis_id, "analysis queued") is not None
    for problem in annotation_problems(rows, logged, since):
        raise AlteredRecord(problem)
    if len(_fitting) >= _MOST_FITTING:
        _fitting.clear()
    _fitting[analysis_id] = state


# By analysis, annotations and entries as they were when they last fitted: thousands take seconds to check.
_fitting: dict[str, bytes] = {}
_MOST_FITTING = 1000


def _state(session: Session, rows: Iterable[AnnotationRow], *own: ColumnElement[bool]) -> bytes:
    """A hash of annotations and of their entries as they lie in the database, keyed as the log is."""
    key: CustodyKey = session.info[CUSTODY_KEY]
    digest = hmac.new(key.read(), digestmod="sha256")
    for row in rows:
        digest.update(repr((row.id, row.author, row.verdict, row.kind, row.body)).encode())
    for entry in session.execute(select(CustodyRow.__table__).where(*own)):
        digest.update(repr(tuple(entry)).encode())
    return digest.digest()


def annotation_problems(
    rows: Iterable[AnnotationRow], logged: Mapping[str, str | None], since: bool
) -> Iterator[str]:
    """How the annotations of an analysis differ from the log's, in words.

    ``logged``: SHA-256 by id. ``since``: all of them were made since the log began.
    """
    missing = dict(logged)
    for row in rows:
        name = f"An annotation in the name of {row.author}"
        missing.pop(row.id, None)
        said = json.loads(row.body)
        columns = (said.get("imported_by") or said.get("author"), said.get("verdict"), said.get("kind"))
        if row.id not in logged:
            if since:
                yield f"{name} is not in the custody log: it was added to the database."
        elif logged[row.id] not in (None, checksum([said])):
            yield f"{name} is not as the custody log holds it: it was changed in the database."
        elif said.get("id") != row.id or columns != (row.author, row.verdict, row.kind):
            yield f"{name} is listed in the database as something other than what it says."
    if missing:
        count = "An annotation" if len(missing) == 1 else f"{len(missing):,} annotations"
        yield f"{count} of the custody log cannot be found in the database."


def refuse_altered_review(
    session: Session, analysis_id: str, rows: Iterable[ReviewStatement], review: CaseReview | None
) -> None:
    """Raise :class:`AlteredRecord` where a second review, or who makes it, is not as it was logged."""
    logged: dict[str, str] = {}
    own = CustodyRow.analysis == analysis_id, CustodyRow.action == "second review"
    for entry in custody_log.of_query(session, *own):
        if not custody_log.is_own(session, entry):
            raise AlteredRecord(_forged(entry))
        logged[str(entry.details.get("id"))] = str(entry.details.get("sha256"))
    for problem in review_problems(rows, logged):
        raise AlteredRecord(problem)
    if review is None:
        return
    about = CustodyRow.details.contains(f'"case": {review.case_id},', autoescape=True)
    named = None
    for entry in custody_log.of_query(session, CustodyRow.action == "reviewers named", about):
        if not custody_log.is_own(session, entry):
            raise AlteredRecord(_forged(entry))
        named = entry
    if named is None or named.details.get("named") != naming(review):
        raise AlteredRecord(gettext("Who reviews the case is not what the custody log holds."))


def naming(review: CaseReview) -> str:
    """Who reviews a case, and what is hidden, as an entry holds it: by numbers of accounts."""
    return f"{review.first_id} {review.second_id} {review.third_id or 0} {review.blind}"


def review_problems(rows: Iterable[ReviewStatement], logged: Mapping[str, str]) -> Iterator[str]:
    """How the statements of a second review differ from the log's (SHA-256 by id), in words."""
    missing = dict(logged)
    for row in rows:
        said, known = json.loads(row.body), missing.pop(row.id, None)
        columns = (said.get("id"), said.get("kind"), said.get("part"))
        if known is None:
            yield f"A {row.kind} of the second review is not in the custody log: it was added later."
        elif known != checksum([said]) or columns != (row.id, row.kind, row.part):
            yield f"A {row.kind} of the second review is not as the custody log holds it."
    if missing:
        yield "A part of the second review that the custody log holds cannot be found in the database."


def refuse_altered_case(session: Session, analysis_id: str, details: Mapping[str, str | None]) -> None:
    """Raise :class:`AlteredRecord` where the details of a case are not those that were logged."""
    own = CustodyRow.analysis == analysis_id, CustodyRow.action == "case details"
    logged: dict[str, str | int] = {}
    for entry in custody_log.of_query(session, *own):
        if not custody_log.is_own(session, entry):
            raise AlteredRecord(_forged(entry))
        logged |= entry.details
    since = custody_log.latest(session, analysis_id, "analysis queued") is not None
    if problem := case_problem(details, logged, since):
        raise AlteredRecord(problem)


def case_problem(
    details: Mapping[str, str | None], logged: Mapping[str, str | int], since: bool
) -> str | None:
    """How details of a case differ from those that were logged last.

    ``since``: all of them were stated since the log began.
    """
    blank = CaseDetails().model_dump()
    for name, value in details.items():
        told = logged.get(name.replace("_", " "))
        fits = (
            value == blank[name] or not since
            if told is None
            else told == custody_log.fitted(value or "removed")
        )
        if not fits:
            return f"The {name.replace('_', ' ')} in the database is not the one that the custody log holds."
    return None


def refuse_altered_account(session: Session, user: User) -> None:
    """Raise :class:`AlteredRecord` where an account's role, second factor or being usable is not as logged.

    One of which the log says nothing may be used, so that nobody is shut out: ``verify-log`` names it.
    """
    about = CustodyRow.details.contains(f'"account": {json.dumps(user.name)}', autoescape=True)
    acts = or_(
        *(
            CustodyRow.details.contains(f'"what": "{what}"', autoescape=True)
            for what in {*_ROLE, *_ABLE, *_FACTOR}
        )
    )
    accounts = Accounts()
    for entry in custody_log.of_query(session, CustodyRow.action == "account", about, acts):
        if custody_log.is_own(session, entry):
            accounts.note(entry)
    if user.name in accounts.roles and (problem := accounts.problem(user)):
        raise AlteredRecord(problem)


class Accounts:
    """Roles of accounts, which may be used, and which have a second factor, as the log's entries say."""

    def __init__(self) -> None:
        self.roles: dict[str, str] = {}
        self.able: dict[str, bool] = {}
        self.factors: dict[str, bool] = {}

    def note(self, entry: Entry) -> None:
        """Take in the next entry."""
        if entry.action != "account":
            return
        what, name = str(entry.details.get("what")), str(entry.details.get("account"))
        if what in _ROLE:
            self.roles[name] = str(entry.details.get("role"))
        if what in _ABLE:
            self.able[name] = _ABLE[what]
        if what in _FACTOR:
            self.factors[name] = _FACTOR[what]

    def problem(self, user: User) -> str | None:
        """How the row of an account differs from it."""
        if user.name not in self.roles:
            return f"The account {user.name} is not in the custody log: it was added to the database."
        if self.roles[user.name] != user.role:
            return f"The role of {user.name} in the database is not the one that the custody log holds."
        if self.able.get(user.name, True) != (user.disabled is None):
            return f"Whether {user.name} is disabled was changed in the database."
        if self.factors.get(user.name, False) != (user.factor_since is not None):
            return f"Whether {user.name} has a second factor was changed in the database."
        return None


def _forged(entry: Entry) -> str:
    return f"Entry {entry.number} of the custody log was not written with its key."


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

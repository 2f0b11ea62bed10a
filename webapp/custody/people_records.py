"""Compare accounts, annotations, reviews and case details with what the custody log recorded about them.

See :mod:`webapp.custody.job_records`, which does the same for jobs and their results.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from language.translation import gettext, ngettext, translated
from reports.custody.format import Action, Entry
from reports.inputs.case import CaseDetails
from reports.inputs.case_fields import FIELDS
from reports.review.annotation_file import checksum
from webapp.custody import custody_log
from webapp.custody.job_records import AlteredRecord, may_be_from_before_the_log, refuse_forged
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import AnnotationRow, CaseReview, CustodyRow, ReviewStatement, User

_ROLE_ACTS = ("account made", "role changed")
_ENABLED = {"account made": True, "account enabled": True, "account disabled": False}
_HAS_FACTOR = {"second factor set up": True, "second factor removed": False, "second factor reset": False}
# By analysis, its annotations and entries as of the last successful check: thousands take seconds to check.
_checked: dict[str, bytes] = {}
_MAX_CHECKED = 1000


def refuse_altered_account(session: Session, user: User) -> None:
    """Raise :class:`AlteredRecord` if an account's role, second factor or being enabled is not as logged.

    An account without entries is accepted, so that nobody is locked out; ``verify-log`` reports it.
    """
    about = CustodyRow.details.contains(f'"account": {json.dumps(user.name)}', autoescape=True)
    acts = or_(
        *(
            CustodyRow.details.contains(f'"what": "{what}"', autoescape=True)
            for what in {*_ROLE_ACTS, *_ENABLED, *_HAS_FACTOR}
        )
    )
    accounts = LoggedAccounts()
    for entry in custody_log.iter_entries_where(session, CustodyRow.action == "account", about, acts):
        if custody_log.is_authentic(session, entry):
            accounts.note(entry)
    if user.name in accounts.roles and (problem := accounts.problem(user)):
        raise AlteredRecord(problem)


class LoggedAccounts:
    """Role, second factor and being enabled of each account according to the log's entries."""

    def __init__(self) -> None:
        self.roles: dict[str, str] = {}
        self.enabled: dict[str, bool] = {}
        self.factors: dict[str, bool] = {}

    def note(self, entry: Entry) -> None:
        """Process the next entry."""
        if entry.action != "account":
            return
        what, name = str(entry.details.get("what")), str(entry.details.get("account"))
        if what in _ROLE_ACTS:
            self.roles[name] = str(entry.details.get("role"))
        if what in _ENABLED:
            self.enabled[name] = _ENABLED[what]
        if what in _HAS_FACTOR:
            self.factors[name] = _HAS_FACTOR[what]

    def problem(self, user: User) -> str | None:
        """Return how the row of an account differs from the log."""
        if user.name not in self.roles:
            return gettext(
                "The account %(name)s is not in the custody log: it was added to the database.",
                name=user.name,
            )
        if self.roles[user.name] != user.role:
            return gettext(
                "The role of %(name)s in the database differs from that in the custody log.",
                name=user.name,
            )
        if self.enabled.get(user.name, True) != (user.disabled is None):
            return gettext("Whether %(name)s is disabled was changed in the database.", name=user.name)
        if self.factors.get(user.name, False) != (user.factor_since is not None):
            return gettext(
                "Whether %(name)s has a second factor was changed in the database.", name=user.name
            )
        return None


def refuse_altered_annotations(session: Session, analysis_id: str, rows: Iterable[AnnotationRow]) -> None:
    """Raise :class:`AlteredRecord` if the annotations of an analysis are not those in the log."""
    rows, about = tuple(rows), _entries_about(analysis_id, "annotation")
    state = _state(session, rows, *about)
    if _checked.get(analysis_id) == state:
        return
    logged: dict[str, str | None] = {}
    for entry in _logged(session, *about):
        sha256 = entry.details.get("sha256")
        logged[str(entry.details.get("id"))] = None if sha256 is None else str(sha256)
    since = bool(logged) or not may_be_from_before_the_log(session, analysis_id)
    for problem in annotation_problems(rows, logged, since):
        raise AlteredRecord(problem)
    if len(_checked) >= _MAX_CHECKED:
        _checked.clear()
    _checked[analysis_id] = state


def _state(session: Session, rows: Iterable[AnnotationRow], *about: ColumnElement[bool]) -> bytes:
    """Return a hash of annotations and of their entries in the database, keyed like the log."""
    key: CustodyKey = session.info[CUSTODY_KEY]
    digest = hmac.new(key.read(), digestmod="sha256")
    for row in rows:
        digest.update(repr((row.id, row.author, row.verdict, row.kind, row.body)).encode())
    for entry in session.execute(select(CustodyRow.__table__).where(*about)):
        digest.update(repr(tuple(entry)).encode())
    return digest.digest()


def annotation_problems(
    rows: Iterable[AnnotationRow], logged: Mapping[str, str | None], since: bool
) -> Iterator[str]:
    """Yield how the annotations of an analysis differ from the log.

    ``logged`` has SHA-256 by id. ``since``: all of them were made since the log began.
    """
    missing = dict(logged)
    for row in rows:
        missing.pop(row.id, None)
        body = json.loads(row.body)
        columns = (body.get("imported_by") or body.get("author"), body.get("verdict"), body.get("kind"))
        if row.id not in logged:
            if since:
                yield gettext(
                    "An annotation in the name of %(author)s is not in the custody log: it was added to the "
                    "database.",
                    author=row.author,
                )
        elif logged[row.id] not in (None, checksum([body])):
            yield gettext(
                "An annotation in the name of %(author)s differs from the custody log: it was changed "
                "in the database.",
                author=row.author,
            )
        elif body.get("id") != row.id or columns != (row.author, row.verdict, row.kind):
            yield gettext(
                "The database columns of an annotation in the name of %(author)s contradict its content.",
                author=row.author,
            )
    if missing:
        yield ngettext(
            "An annotation recorded in the custody log cannot be found in the database.",
            "%(num)s annotations recorded in the custody log cannot be found in the database.",
            len(missing),
        )


def refuse_altered_review(
    session: Session,
    analysis_id: str,
    rows: Iterable[ReviewStatement],
    case_id: int | None,
    review: CaseReview | None,
) -> None:
    """Raise :class:`AlteredRecord` if a second review, or the reviewers of its case, are not as logged."""
    logged: dict[str, str] = {}
    for entry in _logged(session, *_entries_about(analysis_id, "second review")):
        logged[str(entry.details.get("id"))] = str(entry.details.get("sha256"))
    for problem in review_problems(rows, logged):
        raise AlteredRecord(problem)
    if case_id is None:
        return
    about = CustodyRow.details.contains(f'"case": {case_id},', autoescape=True)
    named: str | int | None = format_reviewers(None)
    for entry in custody_log.iter_entries_where(session, CustodyRow.action == "reviewers named", about):
        refuse_forged(session, entry)
        named = entry.details.get("named")
    if named != format_reviewers(review):
        raise AlteredRecord(gettext("The reviewers of the case differ from those in the custody log."))


def format_reviewers(review: CaseReview | None) -> str:
    """Format the reviewers of a case and what is hidden, as entries store it: by account ids."""
    if review is None:
        return "nobody"
    return f"{review.first_id} {review.second_id} {review.third_id or 0} {review.blind}"


def review_problems(rows: Iterable[ReviewStatement], logged: Mapping[str, str]) -> Iterator[str]:
    """Yield how the statements of a second review differ from the log (SHA-256 by id)."""
    missing = dict(logged)
    for row in rows:
        body, sha256 = json.loads(row.body), missing.pop(row.id, None)
        columns = (body.get("id"), body.get("kind"), body.get("part"))
        if sha256 is None:
            yield gettext("A part of the second review is not in the custody log: it was added later.")
        elif sha256 != checksum([body]) or columns != (row.id, row.kind, row.part):
            yield gettext("A part of the second review differs from the custody log.")
    if missing:
        yield gettext(
            "A part of the second review that is in the custody log cannot be found in the database."
        )


def refuse_altered_case_details(
    session: Session, analysis_id: str, details: Mapping[str, str | None]
) -> None:
    """Raise :class:`AlteredRecord` if case details are not as logged."""
    logged: dict[str, str | int] = {}
    for entry in _logged(session, *_entries_about(analysis_id, "case details")):
        logged |= entry.details
    since = not may_be_from_before_the_log(session, analysis_id)
    if problem := case_details_problem(details, logged, since):
        raise AlteredRecord(problem)


def case_details_problem(
    details: Mapping[str, str | None], logged: Mapping[str, str | int], since: bool
) -> str | None:
    """Return how case details differ from those logged last.

    ``since``: all of them were stated since the log began.
    """
    blank = CaseDetails().model_dump()
    for name, value in details.items():
        logged_value = logged.get(name.replace("_", " "))
        if logged_value is None:
            fits = value == blank[name] or not since
        else:
            fits = logged_value == custody_log.to_detail(value or "removed")
        if not fits:
            return gettext(
                "The %(detail)s in the database differs from that in the custody log.",
                detail=translated(FIELDS[name].in_sentence),
            )
    return None


def _entries_about(analysis_id: str, action: Action) -> tuple[ColumnElement[bool], ...]:
    """Return conditions for entries about an analysis with this action, and about its deletion."""
    return CustodyRow.analysis == analysis_id, CustodyRow.action.in_((action, "deletion"))


def _logged(session: Session, *about: ColumnElement[bool]) -> list[Entry]:
    """Return the entries about records that still exist: none if the analysis was deleted meanwhile."""
    entries: list[Entry] = []
    for entry in custody_log.iter_entries_where(session, *about):
        refuse_forged(session, entry)
        if entry.action == "deletion":
            entries.clear()
        else:
            entries.append(entry)
    return entries

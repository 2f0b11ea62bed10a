"""Compare accounts, annotations, reviews and case details with what the custody log recorded about them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from reports.custody.format import Action, Entry
from reports.inputs.case import CaseDetails
from reports.inputs.case_fields import FIELDS
from reports.language.translation import gettext, ngettext, translated
from reports.review.annotation_file import checksum
from webapp.custody import custody_log, job_records
from webapp.custody import custody_log as custody_custody_log
from webapp.custody.job_records import AlteredRecord, refuse_forged
from webapp.storage.database import CUSTODY_KEY
from webapp.storage.key_files import CustodyKey
from webapp.storage.tables import AnnotationRow, CaseReview, CustodyRow, ReviewStatement, User

_ROLE = ("account made", "role changed")
_ABLE = {"account made": True, "account enabled": True, "account disabled": False}
_FACTOR = {"second factor set up": True, "second factor removed": False, "second factor reset": False}


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
    accounts = LoggedAccounts()
    for entry in custody_log.iter_entries_where(session, CustodyRow.action == "account", about, acts):
        if custody_log.is_authentic(session, entry):
            accounts.note(entry)
    if user.name in accounts.roles and (problem := accounts.problem(user)):
        raise AlteredRecord(problem)


class LoggedAccounts:
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
            return gettext(
                "The account %(name)s is not in the custody log: it was added to the database.",
                name=user.name,
            )
        if self.roles[user.name] != user.role:
            return gettext(
                "The role of %(name)s in the database is not the one that the custody log holds.",
                name=user.name,
            )
        if self.able.get(user.name, True) != (user.disabled is None):
            return gettext("Whether %(name)s is disabled was changed in the database.", name=user.name)
        if self.factors.get(user.name, False) != (user.factor_since is not None):
            return gettext(
                "Whether %(name)s has a second factor was changed in the database.", name=user.name
            )
        return None


def refuse_altered_annotations(session: Session, analysis_id: str, rows: Iterable[AnnotationRow]) -> None:
    """Raise :class:`AlteredRecord` where the annotations of an analysis are not those that were logged."""
    rows, own = tuple(rows), _about(analysis_id, "annotation")
    state = _state(session, rows, *own)
    if _fitting.get(analysis_id) == state:
        return
    logged: dict[str, str | None] = {}
    for entry in _logged(session, *own):
        sha256 = entry.details.get("sha256")
        logged[str(entry.details.get("id"))] = None if sha256 is None else str(sha256)
    since = bool(logged) or not job_records.may_be_from_before_the_log(session, analysis_id)
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
        missing.pop(row.id, None)
        said = json.loads(row.body)
        columns = (said.get("imported_by") or said.get("author"), said.get("verdict"), said.get("kind"))
        if row.id not in logged:
            if since:
                yield gettext(
                    "An annotation in the name of %(author)s is not in the custody log: it was added to the "
                    "database.",
                    author=row.author,
                )
        elif logged[row.id] not in (None, checksum([said])):
            yield gettext(
                "An annotation in the name of %(author)s is not as the custody log holds it: it was changed "
                "in the database.",
                author=row.author,
            )
        elif said.get("id") != row.id or columns != (row.author, row.verdict, row.kind):
            yield gettext(
                "An annotation in the name of %(author)s is listed in the database as something other than "
                "what it says.",
                author=row.author,
            )
    if missing:
        yield ngettext(
            "An annotation of the custody log cannot be found in the database.",
            "%(num)s annotations of the custody log cannot be found in the database.",
            len(missing),
        )


def refuse_altered_review(
    session: Session,
    analysis_id: str,
    rows: Iterable[ReviewStatement],
    case_id: int | None,
    review: CaseReview | None,
) -> None:
    """Raise :class:`AlteredRecord` where a second review, or who makes it in a case, is not as logged."""
    logged: dict[str, str] = {}
    for entry in _logged(session, *_about(analysis_id, "second review")):
        logged[str(entry.details.get("id"))] = str(entry.details.get("sha256"))
    for problem in review_problems(rows, logged):
        raise AlteredRecord(problem)
    if case_id is None:
        return
    about = CustodyRow.details.contains(f'"case": {case_id},', autoescape=True)
    named: str | int | None = format_reviewers(None)
    for entry in custody_custody_log.iter_entries_where(
        session, CustodyRow.action == "reviewers named", about
    ):
        refuse_forged(session, entry)
        named = entry.details.get("named")
    if named != format_reviewers(review):
        raise AlteredRecord(gettext("Who reviews the case is not what the custody log holds."))


def format_reviewers(review: CaseReview | None) -> str:
    """Who reviews a case, and what is hidden, as an entry holds it: by numbers of accounts."""
    if review is None:
        return "nobody"
    return f"{review.first_id} {review.second_id} {review.third_id or 0} {review.blind}"


def review_problems(rows: Iterable[ReviewStatement], logged: Mapping[str, str]) -> Iterator[str]:
    """How the statements of a second review differ from the log's (SHA-256 by id), in words."""
    missing = dict(logged)
    for row in rows:
        said, known = json.loads(row.body), missing.pop(row.id, None)
        columns = (said.get("id"), said.get("kind"), said.get("part"))
        if known is None:
            yield gettext("A part of the second review is not in the custody log: it was added later.")
        elif known != checksum([said]) or columns != (row.id, row.kind, row.part):
            yield gettext("A part of the second review is not as the custody log holds it.")
    if missing:
        yield gettext(
            "A part of the second review that the custody log holds cannot be found in the database."
        )


def refuse_altered_case_details(
    session: Session, analysis_id: str, details: Mapping[str, str | None]
) -> None:
    """Raise :class:`AlteredRecord` where the details of a case are not those that were logged."""
    logged: dict[str, str | int] = {}
    for entry in _logged(session, *_about(analysis_id, "case details")):
        logged |= entry.details
    since = not job_records.may_be_from_before_the_log(session, analysis_id)
    if problem := case_details_problem(details, logged, since):
        raise AlteredRecord(problem)


def case_details_problem(
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
            else told == custody_log.to_detail(value or "removed")
        )
        if not fits:
            return gettext(
                "The %(detail)s in the database is not the one that the custody log holds.",
                detail=translated(FIELDS[name].in_sentence),
            )
    return None


def _about(analysis_id: str, action: Action) -> tuple[ColumnElement[bool], ...]:
    """The condition for the entries that say this of an analysis, and for that of its deletion."""
    return CustodyRow.analysis == analysis_id, CustodyRow.action.in_((action, "deletion"))


def _logged(session: Session, *own: ColumnElement[bool]) -> list[Entry]:
    """The entries that say something of what there still is: none of an analysis deleted meanwhile."""
    found: list[Entry] = []
    for entry in custody_custody_log.iter_entries_where(session, *own):
        refuse_forged(session, entry)
        if entry.action == "deletion":
            found.clear()
        else:
            found.append(entry)
    return found

"""Search the library: parse the query of the address, find the matching analyses page by page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from detector.schema.analysis import Verdict
from reports.language.names import normalized
from reports.language.translation import N_
from webapp.accounts.visibility import visible_to_current
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit, MatchRow, State

PAGE_SIZE = 25

SORTS: dict[str, tuple[str, tuple[ColumnElement[Any], ...]]] = {
    "newest": (N_("Newest first"), ()),
    "oldest": (N_("Oldest first"), (AnalysisRow.created.asc(), AnalysisRow.id.asc())),
    "name": (N_("File name"), (func.lower(AnalysisRow.file),)),
    "probability": (N_("Probability, highest first"), (AnalysisRow.probability.desc().nulls_last(),)),
    "length": (N_("Length, longest first"), (AnalysisRow.duration.desc().nulls_last(),)),
}
_NEWEST = (AnalysisRow.created.desc(), AnalysisRow.id.desc())
_Columns = TypeVarTuple("_Columns")
_ADDRESS = re.compile(r"\S*/analyses/([0-9a-f]{32})\S*")
_ID = re.compile(r"[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-fA-F]{6,64}")


@dataclass(frozen=True)
class LibrarySearch:
    """What the library is asked for; empty fields ask for nothing. Days are whole ones, in UTC."""

    text: str = ""
    verdict: str = ""
    state: str = ""
    model: str = ""
    reviewer: str = ""
    since: date | None = None
    until: date | None = None
    like: str = ""  # id of an analysis: of exhibits that show the same as its exhibit, and of itself
    grouped: bool = False  # of exhibits that are copies of one another, only those to look at
    sort: str = "newest"

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != "sort")

    def query(self, **changes: object) -> dict[str, str]:
        """The parameters of an address that asks for the same, but for ``changes``; none that say nothing."""
        asked: dict[str, object] = {
            "q": self.text,
            "verdict": self.verdict,
            "state": self.state,
            "model": self.model,
            "reviewer": self.reviewer,
            "from": self.since,
            "to": self.until,
            "like": self.like,
            "grouped": "yes" if self.grouped else "",
            "sort": "" if self.sort == "newest" else self.sort,
        }
        return {name: str(value) for name, value in (asked | changes).items() if value}


@dataclass(frozen=True)
class LibraryPage:
    """One page of what fits; ``total`` is how many fit, ``everything`` how many there are."""

    rows: tuple[AnalysisRow, ...]
    number: int
    pages: int
    total: int
    everything: int

    @property
    def first(self) -> int:
        """Place of the page's first row among those that fit, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1


def parse_search(args: Mapping[str, str]) -> LibrarySearch:
    """The search an address asks for. What cannot be is taken for not asked."""
    sort = args.get("sort", "")
    return LibrarySearch(
        text=normalized(args.get("q", ""), 200)[:200],
        verdict=_one_of(args.get("verdict", ""), Verdict),
        state=_one_of(args.get("state", ""), State),
        model=args.get("model", "")[:60],
        reviewer=args.get("reviewer", "")[:80],
        since=_day(args.get("from", "")),
        until=_day(args.get("to", "")),
        like=args.get("like", "") if _ID.fullmatch(args.get("like", "")) else "",
        grouped=args.get("grouped") == "yes",
        sort=sort if sort in SORTS else "newest",
    )


def find_page(session: Session, search: LibrarySearch, number: int) -> LibraryPage:
    """Page ``number`` of what fits; numbers past the end give the last page."""
    everything = session.scalar(select(func.count()).select_from(AnalysisRow)) or 0
    # Ids alone are sorted; a row with its exhibit is only read for those shown. What is left out has to be
    # gone through anyway, and is counted on the way.
    counted = func.count().over() if search.filters else literal(everything)
    ids = matching_analyses(select(AnalysisRow.id, counted), search).order_by(
        *SORTS[search.sort][1], *_NEWEST
    )

    def cut(number: int) -> Sequence[Row[str, int]]:
        return session.execute(ids.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)).all()

    # Only somebody who wrote the address asks for a page far past the end, and only then there is no count.
    number = min(max(number, 1), max(1, math.ceil(everything / PAGE_SIZE)))
    shown = cut(number)
    if not shown and number > 1:
        total = session.scalar(matching_analyses(select(func.count()).select_from(AnalysisRow), search)) or 0
        number = max(1, math.ceil(total / PAGE_SIZE))
        shown = cut(number)
    total = shown[0][1] if shown else 0
    wanted = [each.id for each in shown]
    found = {row.id: row for row in session.scalars(select(AnalysisRow).where(AnalysisRow.id.in_(wanted)))}
    pages = max(1, math.ceil(total / PAGE_SIZE))
    return LibraryPage(tuple(found[each] for each in wanted), number, pages, total, everything)


def models_used(session: Session) -> list[str]:
    """Names of the models that analyses were made with."""
    names = session.scalars(select(AnalysisRow.model).distinct().where(AnalysisRow.model.is_not(None)))
    return sorted(name for name in names if name)


def reviewers(session: Session) -> list[str]:
    """Names of those who said anything of an analysis."""
    return sorted(session.scalars(select(AnnotationRow.author).distinct()), key=str.casefold)


def matching_analyses(query: Select[*_Columns], search: LibrarySearch) -> Select[*_Columns]:
    """The select, narrowed to what the search asks for; only what who asks may see hides its copies."""
    conditions = _conditions(search, AnalysisRow)
    if search.grouped:
        conditions.append(~_better_copy(search))
    return query.where(*conditions)


def _conditions(search: LibrarySearch, row: Any) -> list[ColumnElement[bool]]:
    """What the search asks of an analysis by itself."""
    conditions = [_word(word, row) for word in _ADDRESS.sub(r"\1", search.text).split()]
    if search.verdict:
        conditions.append(row.verdict == search.verdict)
    if search.state:
        conditions.append(row.state == search.state)
    if search.model:
        conditions.append(row.model == search.model)
    if search.reviewer:
        said = select(AnnotationRow.analysis_id).where(AnnotationRow.author == search.reviewer)
        conditions.append(row.id.in_(said))
    if search.since:
        conditions.append(row.created >= _midnight(search.since))
    if search.until:
        conditions.append(row.created < _midnight(search.until) + timedelta(days=1))
    if search.like:
        conditions.append(_like(search.like, row))
    return conditions


def _word(word: str, row: Any) -> ColumnElement[bool]:
    """A word is part of the file's name, or how a SHA-256 or an analysis's id begins."""
    of_name = row.file.icontains(word, autoescape=True)
    if not _HEX.fullmatch(word):
        return of_name
    start, end = word.lower(), word.lower() + "g"  # just past every hexadecimal number that begins so
    exhibits = select(Exhibit.id).where(Exhibit.sha256 >= start, Exhibit.sha256 < end)
    of_id = (row.id >= start) & (row.id < end)
    return or_(of_name, of_id, row.exhibit_id.in_(exhibits))


def _like(analysis_id: str, row: Any) -> ColumnElement[bool]:
    """Of the exhibit of an analysis, or of one that matches it."""
    named = aliased(AnalysisRow)
    own = select(named.exhibit_id).where(named.id == analysis_id).scalar_subquery()
    return or_(
        row.exhibit_id == own,
        row.exhibit_id.in_(select(MatchRow.other_id).where(MatchRow.exhibit_id == own)),
        row.exhibit_id.in_(select(MatchRow.exhibit_id).where(MatchRow.other_id == own)),
    )


def _better_copy(search: LibrarySearch) -> ColumnElement[bool]:
    """Whether another analysis stands for the same exhibit, or for one that is a copy of it to the end.

    That is the newest finished one of each verdict of those that the search finds, or else the newest: no
    finding is hidden behind an analysis that has none, or that is not shown. A fake matches the original that
    it was made from, and of one exhibit models may differ: no verdict is hidden behind another.
    """
    # Not as an entity: a narrowed session would add what who asks may see as a filter.
    better = AnalysisRow.__table__.alias("better").c
    whole = MatchRow.of_all.is_(True)
    same = or_(
        better.exhibit_id == AnalysisRow.exhibit_id,
        better.exhibit_id.in_(
            select(MatchRow.other_id)
            .where(MatchRow.exhibit_id == AnalysisRow.exhibit_id, whole)
            .correlate(AnalysisRow)
        ),
        better.exhibit_id.in_(
            select(MatchRow.exhibit_id)
            .where(MatchRow.other_id == AnalysisRow.exhibit_id, whole)
            .correlate(AnalysisRow)
        ),
    )
    # As a value, which has no index: by a filter's SQLite would go through all that fit it, for each row.
    fits = case((and_(visible_to_current(better), *_conditions(search, better)), 1), else_=0) == 1
    stands = _rank(better) > _rank(AnalysisRow)
    same_verdict = or_(AnalysisRow.verdict.is_(None), better.verdict == AnalysisRow.verdict)
    return select(better.id).where(stands, same_verdict, same, fits).correlate(AnalysisRow).exists()


def _rank(row: Any) -> ColumnElement[Any]:
    return tuple_(case((row.state == State.DONE, 1), else_=0), row.created, row.id)


def _one_of(text: str, kinds: type[Verdict] | type[State]) -> str:
    return text if text in {str(kind) for kind in kinds} else ""


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year < 9999 else None  # the day after must exist as well


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

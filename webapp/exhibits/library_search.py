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
from detector.schema.summary import AnalysisOutcome
from detector.schema.voice import VoiceVerdict
from language.names import normalized
from language.translation import N_
from webapp.accounts.visibility import exhibits_with_copies, visible_to_current
from webapp.storage.folded_text import fold, folded
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit, MatchRow, State, shown_state

PAGE_SIZE = 25

SORTS: dict[str, tuple[str, tuple[ColumnElement[Any], ...]]] = {
    "newest": (N_("Newest first"), ()),
    "oldest": (N_("Oldest first"), (AnalysisRow.created.asc(), AnalysisRow.id.asc())),
    "name": (N_("File name"), (func.lower(AnalysisRow.file),)),
    "probability": (N_("Score, highest first"), (AnalysisRow.probability.desc().nulls_last(),)),
    "length": (N_("Length, longest first"), (AnalysisRow.duration.desc().nulls_last(),)),
}
FINDINGS = {
    "any": (N_("Any finding"), "outcome", AnalysisOutcome.FINDING.value),
    "faces": (N_("Manipulation of faces found"), "verdict", Verdict.MANIPULATED.value),
    "voices": (N_("Synthetic voice found"), "voice_verdict", VoiceVerdict.SYNTHETIC.value),
    "open": (N_("Inconclusive"), "outcome", AnalysisOutcome.OPEN.value),
    "nothing": (N_("Nothing found"), "outcome", AnalysisOutcome.NOTHING.value),
}
"""Filters by both verdicts: the words, the column and its value."""
_NEWEST = (AnalysisRow.created.desc(), AnalysisRow.id.desc())
_Columns = TypeVarTuple("_Columns")
_ADDRESS = re.compile(r"\S*/analyses/([0-9a-f]{32})\S*")
_ID = re.compile(r"[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-fA-F]{6,64}")


@dataclass(frozen=True)
class LibrarySearch:
    """Filters and order of the library; empty fields do not filter. Days are in UTC."""

    text: str = ""
    finding: str = ""  # a key of FINDINGS
    outcome: str = ""
    verdict: str = ""  # on faces; recordings of sound never match
    voice: str = ""  # a verdict on the voices
    state: str = ""
    model: str = ""
    reviewer: str = ""
    since: date | None = None
    until: date | None = None
    like: str = ""  # id of an analysis: its exhibit, and exhibits with the same content
    marks: bool = False  # only exhibits that carry a hidden mark
    grouped: bool = False  # show one analysis for exhibits that are copies of one another
    ids: tuple[str, ...] = ()  # of analyses that were selected
    sort: str = "newest"

    @property
    def filters(self) -> bool:
        """Whether anything is filtered."""
        return any(getattr(self, field.name) for field in fields(self) if field.name != "sort")

    def query(self, **changes: object) -> dict[str, str]:
        """Return the query parameters of this search with ``changes``, without empty ones."""
        parameters: dict[str, object] = {
            "q": self.text,
            "finding": self.finding,
            "verdict": self.verdict,
            "voice": self.voice,
            "state": self.state,
            "model": self.model,
            "reviewer": self.reviewer,
            "from": self.since,
            "to": self.until,
            "like": self.like,
            "marks": "yes" if self.marks else "",
            "grouped": "yes" if self.grouped else "",
            "ids": ",".join(self.ids),
            "sort": "" if self.sort == "newest" else self.sort,
        }
        return {name: str(value) for name, value in (parameters | changes).items() if value}


@dataclass(frozen=True)
class LibraryPage:
    """One page of matches; ``total`` counts all matches, ``everything`` all analyses."""

    rows: tuple[AnalysisRow, ...]
    number: int
    pages: int
    total: int
    everything: int

    @property
    def first(self) -> int:
        """Position of the page's first row among the matches, from 1."""
        return (self.number - 1) * PAGE_SIZE + 1


def parse_search(args: Mapping[str, str]) -> LibrarySearch:
    """Parse the query parameters. Invalid ones are ignored."""
    sort = args.get("sort", "")
    return LibrarySearch(
        text=normalized(args.get("q", ""), 200)[:200],
        finding=args.get("finding", "") if args.get("finding") in FINDINGS else "",
        verdict=_one_of(args.get("verdict", ""), Verdict),
        voice=_one_of(args.get("voice", ""), VoiceVerdict),
        state=_one_of(args.get("state", ""), State),
        model=args.get("model", "")[:60],
        reviewer=args.get("reviewer", "")[:80],
        since=_day(args.get("from", "")),
        until=_day(args.get("to", "")),
        like=args.get("like", "") if _ID.fullmatch(args.get("like", "")) else "",
        marks=args.get("marks") == "yes",
        grouped=args.get("grouped") == "yes",
        ids=tuple(filter(_ID.fullmatch, args.get("ids", "").split(",")[:PAGE_SIZE])),
        sort=sort if sort in SORTS else "newest",
    )


def find_page(session: Session, search: LibrarySearch, number: int) -> LibraryPage:
    """Load page ``number`` of the matches; numbers past the end give the last page."""
    everything = session.scalar(select(func.count()).select_from(AnalysisRow)) or 0
    # Sort ids alone and load rows with exhibits only for the page. Filters scan everything anyway, so they
    # count on the way.
    count = func.count().over() if search.filters else literal(everything)
    ids = matching_analyses(select(AnalysisRow.id, count), search).order_by(*SORTS[search.sort][1], *_NEWEST)

    def load(number: int) -> Sequence[Row[str, int]]:
        return session.execute(ids.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)).all()

    number = min(max(number, 1), max(1, math.ceil(everything / PAGE_SIZE)))
    shown = load(number)
    if not shown and number > 1:  # past the end, where no row carries the count
        total = session.scalar(matching_analyses(select(func.count()).select_from(AnalysisRow), search)) or 0
        number = max(1, math.ceil(total / PAGE_SIZE))
        shown = load(number)
    total = shown[0][1] if shown else 0
    page_ids = [row.id for row in shown]
    rows = {row.id: row for row in session.scalars(select(AnalysisRow).where(AnalysisRow.id.in_(page_ids)))}
    pages = max(1, math.ceil(total / PAGE_SIZE))
    return LibraryPage(tuple(rows[row_id] for row_id in page_ids), number, pages, total, everything)


def models_used(session: Session) -> list[str]:
    """Return the names of the models used by any analysis."""
    names = session.scalars(select(AnalysisRow.model).distinct().where(AnalysisRow.model.is_not(None)))
    return sorted(name for name in names if name)


def reviewers(session: Session) -> list[str]:
    """Return the names of the authors of annotations."""
    return sorted(session.scalars(select(AnnotationRow.author).distinct()), key=str.casefold)


def matching_analyses(query: Select[*_Columns], search: LibrarySearch) -> Select[*_Columns]:
    """Narrow a select to the matches of a search. Only copies the caller may see hide one another."""
    conditions = _conditions(search, AnalysisRow)
    if search.grouped:
        conditions.append(~_better_copy(search))
    return query.where(*conditions)


def _conditions(search: LibrarySearch, row: Any) -> list[ColumnElement[bool]]:
    """Build the conditions on an analysis by itself."""
    # JSON of `Summary`, whose column has another name (see `AnalysisRow`).
    summary = AnalysisRow.summary if row is AnalysisRow else row.finding
    conditions = [_word(word, row) for word in _ADDRESS.sub(r"\1", search.text).split()]
    if search.finding:
        column, value = FINDINGS[search.finding][1:]
        conditions.append(getattr(row, column) == value)
    if search.outcome:
        conditions.append(row.outcome == search.outcome)
    if search.verdict:
        conditions.append(and_(row.verdict == search.verdict, row.sound_only.is_(False)))
    if search.voice:
        conditions.append(row.voice_verdict == search.voice)
    if search.state:
        conditions.append(shown_state(row) == search.state)
    if search.model:
        conditions.append(row.model == search.model)
    if search.reviewer:
        annotated = select(AnnotationRow.analysis_id).where(AnnotationRow.author == search.reviewer)
        conditions.append(row.id.in_(annotated))
    if search.since:
        conditions.append(row.created >= _midnight(search.since))
    if search.until:
        conditions.append(row.created < _midnight(search.until) + timedelta(days=1))
    if search.ids:
        conditions.append(row.id.in_(search.ids))
    if search.marks:
        # A list that is not empty. In texts of a file, quotation marks are escaped.
        conditions.append(summary.contains('"marks": ["'))
    if search.like:
        conditions.append(_like(search.like, row))
    return conditions


def _word(word: str, row: Any) -> ColumnElement[bool]:
    """Match a word with a part of the file name, without its accents, or the start of a SHA-256 or an id."""
    in_name = folded(row.file).contains(fold(word), autoescape=True)
    if not _HEX.fullmatch(word):
        return in_name
    start, end = word.lower(), word.lower() + "g"  # "g" sorts after every hexadecimal digit
    exhibits = select(Exhibit.id).where(Exhibit.sha256 >= start, Exhibit.sha256 < end)
    starts_id = (row.id >= start) & (row.id < end)
    return or_(in_name, starts_id, row.exhibit_id.in_(exhibits))


def _like(analysis_id: str, row: Any) -> ColumnElement[bool]:
    """Match analyses of the same exhibit as the named one, or of a matching exhibit."""
    named = aliased(AnalysisRow)
    own = select(named.exhibit_id).where(named.id == analysis_id).scalar_subquery()
    known = exhibits_with_copies()
    matching = or_(
        row.exhibit_id.in_(select(MatchRow.other_id).where(MatchRow.exhibit_id == own)),
        row.exhibit_id.in_(select(MatchRow.exhibit_id).where(MatchRow.other_id == own)),
    )
    return or_(row.exhibit_id == own, and_(own.in_(known), row.exhibit_id.in_(known), matching))


def _better_copy(search: LibrarySearch) -> ColumnElement[bool]:
    """Tell whether another analysis represents the same exhibit or a complete copy of it.

    The representative is the newest finished match of each verdict, or else the newest match. Verdicts do
    not hide one another, because a fake matches the original it was made from, and models may differ on one
    exhibit. Analyses outside the search hide nothing.
    """
    # As a table, not as an entity, because a visible session adds its filter to entities.
    better = AnalysisRow.__table__.alias("better").c
    # An unfinished analysis is hidden behind those of its own exhibit only, or it would reveal copies that
    # are not known yet (:func:`~webapp.accounts.visibility.exhibits_with_copies`).
    whole = and_(MatchRow.of_all.is_(True), AnalysisRow.state == State.DONE)
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
    # As a value without an index: given a filter, SQLite would scan all matches for each row.
    matches = case((and_(visible_to_current(better), *_conditions(search, better)), 1), else_=0) == 1
    ranks_higher = _rank(better) > _rank(AnalysisRow)
    same_verdict = or_(AnalysisRow.verdict.is_(None), better.verdict == AnalysisRow.verdict)
    return select(better.id).where(ranks_higher, same_verdict, same, matches).correlate(AnalysisRow).exists()


def _rank(row: Any) -> ColumnElement[Any]:
    return tuple_(case((row.state == State.DONE, 1), else_=0), row.created, row.id)


def _one_of(text: str, kinds: type[Verdict] | type[VoiceVerdict] | type[State]) -> str:
    return text if text in {str(kind) for kind in kinds} else ""


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year < 9999 else None  # the next day must exist, too


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

"""Find exhibits that show the same as another one, or a part of it, as far as the user may see them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, case, func, or_, select, union_all
from sqlalchemy.orm import Session

from detector.fingerprint.match import ABOUT_ALL, Match
from reports.language.formatting import shown
from reports.language.translation import N_, gettext
from reports.review.annotations import ANNOTATION, Annotation, WithVerdict, current
from webapp.accounts.visibility import visible_session
from webapp.storage.tables import AnalysisRow, AnnotationRow, ComparisonRow, Exhibit, MatchRow, State

_MOST_SAID = 4  # annotations of each
_EDGES = {"top": N_("top"), "bottom": N_("bottom")}


@dataclass(frozen=True)
class Copy:
    """Another exhibit with the analysis that stands for it, and what both have in common.

    ``match`` is told of the exhibit that was asked about. ``earlier``: the other was handed in before, as far
    as who asks may know; ``said`` are the latest annotations of its analysis. ``analyses`` is how many it
    has: the same bytes handed in again are the same exhibit. ``compared`` is the newest finished comparison
    of the two, which unlike ``match`` is of their faces too.
    """

    match: Match
    analysis: AnalysisRow
    analyses: int
    earlier: bool
    said: tuple[Annotation, ...]
    more_said: int
    compared: ComparisonRow | None

    @property
    def relation(self) -> str:
        """In a few words, how this exhibit is related to the other."""
        if self.match.still:
            return (
                gettext("shows the same picture")
                if self.match.other_still
                else gettext("shows a moment of it")
            )
        if self.match.other_still:
            return gettext("shows that photo’s picture at one moment")
        if self.match.of_all:
            return gettext("shows the same from beginning to end")
        if self.match.share >= ABOUT_ALL:
            return gettext("shows a part of it")
        if self.match.other_share >= ABOUT_ALL:
            return gettext("contains all of it")
        if self.match.of_most:
            return gettext("shows most of the same")
        if self.match.all_found:
            return gettext("shows a part of it")
        if self.match.inverse().all_found:
            return gettext("contains all of it")
        return gettext("has parts in common with it")

    @property
    def times_matter(self) -> bool:
        """Whether it is worth saying which part is which; of copies that run alike it is not."""
        first = self.match.pieces[0]
        alike = self.match.of_all and len(self.match.pieces) == 1 and first.start == first.other_start
        return not alike and not (self.match.still and self.match.other_still)

    @property
    def opinions(self) -> dict[tuple[str, bool], tuple[str, ...]]:
        """What each author of ``said`` says; apart from it, what others imported for them."""
        found: dict[tuple[str, bool], dict[str, None]] = defaultdict(dict)
        for each in self.said:
            if isinstance(each, WithVerdict):
                found[each.author, each.imported_by is not None][each.verdict] = None
        return {who: tuple(verdicts) for who, verdicts in found.items()}

    @property
    def changes(self) -> tuple[str, ...]:
        """What differs, as far as it is known without the files."""
        return describe_changes(self.match)


def describe_changes(match: Match) -> tuple[str, ...]:
    """What an exhibit has different from the one it matches, in words."""
    out = []
    if match.mirrored:
        out.append(gettext("mirrored: left and right are exchanged"))
    if not match.other.whole:
        out.append(
            gettext("cropped: about %(area)s of the other’s picture", area=shown(match.other.area, ".0%"))
        )
    if not match.own.whole:
        out.append(
            gettext(
                "shows more around it: the other is about %(area)s of this picture",
                area=shown(match.own.area, ".0%"),
            )
        )
    if match.differs in _EDGES:
        out.append(
            gettext(
                "differs at the %(differs)s of the picture, as with a caption or a bar",
                differs=gettext(_EDGES[match.differs]),
            )
        )
    elif match.differs:
        out.append(gettext("differs in a part of the picture: something was added, covered or replaced"))
    if match.size != match.other_size:
        own, other = (f"{width} × {height}" for width, height in (match.size, match.other_size))
        out.append(gettext("%(own)s pixels instead of %(other)s", own=own, other=other))
    return tuple(out) or (gettext("the pictures as wholes do not differ"),)


def copies_of(exhibit_id: int, than: AnalysisRow | None = None) -> tuple[Copy, ...]:
    """The copies of an exhibit, those handed in before ``than`` first; then by how much is in common."""
    either = or_(MatchRow.exhibit_id == exhibit_id, MatchRow.other_id == exhibit_id)
    with visible_session() as session:
        matches = {
            row.other_id if row.exhibit_id == exhibit_id else row.exhibit_id: row
            for row in session.scalars(select(MatchRow).where(either))
        }
        analyses = _standing_for(session, matches)
        handed_in = _handed_in(session, analyses)
        said = _standing_annotations(session, [row.id for row in analyses.values()])
        compared = _compared(session, exhibit_id)
    found = []
    for other, row in analyses.items():
        told = Match.model_validate_json(matches[other].body)
        told = told if matches[other].exhibit_id == exhibit_id else told.inverse()
        every = said[row.id]
        first, times = handed_in[other]
        earlier, more_said = than is None or first < than.created, max(0, len(every) - _MOST_SAID)
        latest = tuple(every[:_MOST_SAID])
        found.append(Copy(told, row, times, earlier, latest, more_said, compared.get(other)))
    return tuple(
        sorted(
            found,
            key=lambda copy: (copy.earlier, copy.match.of_all, copy.match.share, copy.analysis.created),
            reverse=True,
        )
    )


def _compared(session: Session, exhibit_id: int) -> dict[int, ComparisonRow]:
    """The newest finished comparison of an exhibit with each other one, whichever was the reference."""
    either = or_(ComparisonRow.exhibit_id == exhibit_id, ComparisonRow.reference_id == exhibit_id)
    done = select(ComparisonRow).where(either, ComparisonRow.state == State.DONE)
    return {
        row.reference_id if row.exhibit_id == exhibit_id else row.exhibit_id: row
        for row in session.scalars(done.order_by(ComparisonRow.created, ComparisonRow.id))
    }


def count_copies(exhibit_id: int) -> int:
    """How many other exhibits show the same or a part of it, as far as who asks may see them."""
    with visible_session() as session:
        return count_copies_by_exhibit(session, [exhibit_id])[exhibit_id]


def count_copies_by_exhibit(session: Session, exhibits: Iterable[int]) -> Counter[int]:
    """The same for several exhibits; ``session`` is of :mod:`webapp.accounts.visibility`."""
    pairs = session.execute(_pairs(exhibits)).all()
    others = {other for _, other in pairs}
    seen = set(session.scalars(select(Exhibit.id).where(Exhibit.id.in_(others)))) if others else set()
    return Counter(own for own, other in pairs if other in seen)


def matching_exhibits(session: Session, exhibit_id: int) -> frozenset[int]:
    """The other exhibits that show the same or a part of it; who asks need not see all of them."""
    return frozenset(other for _, other in session.execute(_pairs([exhibit_id])))


def _pairs(exhibits: Iterable[int]) -> Select[int, int]:
    """Each exhibit with each that matches it, both ways round."""
    ids = list(exhibits)
    both = union_all(
        select(MatchRow.exhibit_id.label("own"), MatchRow.other_id.label("other")).where(
            MatchRow.exhibit_id.in_(ids)
        ),
        select(MatchRow.other_id, MatchRow.exhibit_id).where(MatchRow.other_id.in_(ids)),
    ).subquery()
    return select(both.c.own, both.c.other)


def _standing_for(session: Session, exhibits: Iterable[int]) -> dict[int, AnalysisRow]:
    """By exhibit, its latest finished analysis, or else its latest."""
    done_last = case((AnalysisRow.state == State.DONE, 1), else_=0)
    query = select(AnalysisRow).where(AnalysisRow.exhibit_id.in_(list(exhibits)))
    ordered = query.order_by(done_last, AnalysisRow.created)
    return {row.exhibit_id: row for row in session.scalars(ordered)}


def _handed_in(session: Session, exhibits: Iterable[int]) -> dict[int, tuple[datetime, int]]:
    """By exhibit, when it was handed in first, and how many analyses of it there are."""
    own = select(AnalysisRow.exhibit_id, func.min(AnalysisRow.created), func.count())
    own = own.where(AnalysisRow.exhibit_id.in_(list(exhibits))).group_by(AnalysisRow.exhibit_id)
    return {exhibit: (created, times) for exhibit, created, times in session.execute(own)}


def _standing_annotations(session: Session, analyses: Sequence[str]) -> dict[str, list[Annotation]]:
    """By analysis, what reviewers say of it now, the latest first."""
    rows = select(AnnotationRow.analysis_id, AnnotationRow.body).where(
        AnnotationRow.analysis_id.in_(list(analyses))
    )
    every: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, body in session.execute(rows):
        every[analysis_id].append(ANNOTATION.validate_json(body))
    out: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, said in every.items():
        now = [each for each in current(said) if isinstance(each, WithVerdict)]
        out[analysis_id] = sorted(now, key=lambda each: each.made, reverse=True)
    return out

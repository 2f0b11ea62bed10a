"""Find exhibits that show the same as another one, or a part of it, as far as the user may see them.

Matches come from fingerprints (:mod:`webapp.comparisons.fingerprints`). They are information, and never a
verdict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, case, func, or_, select, union_all
from sqlalchemy.orm import Session

from detector.fingerprint.match import ABOUT_ALL, Match
from language.formatting import shown
from language.translation import N_, gettext
from reports.review.annotations import ANNOTATION, Annotation, WithVerdict, current
from webapp.accounts.visibility import exhibits_with_copies, visible_session
from webapp.storage.tables import AnalysisRow, AnnotationRow, ComparisonRow, Exhibit, MatchRow, State

_MAX_ANNOTATIONS = 4  # shown for each copy
_EDGES = {"top": N_("top"), "bottom": N_("bottom")}


@dataclass(frozen=True)
class Copy:
    """A matching exhibit with its representative analysis, and what both exhibits have in common."""

    match: Match  # seen from the exhibit whose copies are listed
    analysis: AnalysisRow
    analyses: int  # of that exhibit: the same bytes uploaded again are the same exhibit
    earlier: bool  # it was uploaded before, as far as the user may know
    said: tuple[Annotation, ...]  # the latest annotations of the analysis
    more_said: int
    compared: ComparisonRow | None  # the newest finished comparison, which unlike ``match`` compares faces

    @property
    def relation(self) -> str:
        """How this exhibit is related to the other, in a few words."""
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
            return gettext("shows mostly the same")
        if self.match.all_found:
            return gettext("shows a part of it")
        if self.match.inverse().all_found:
            return gettext("contains all of it")
        return gettext("has parts in common with it")

    @property
    def times_matter(self) -> bool:
        """Whether to show which part corresponds to which; not for copies that run in parallel."""
        first = self.match.pieces[0]
        parallel = self.match.of_all and len(self.match.pieces) == 1 and first.start == first.other_start
        return not parallel and not (self.match.still and self.match.other_still)

    @property
    def opinions(self) -> dict[tuple[str, bool], tuple[str, ...]]:
        """The verdicts of each author in ``said``, by author and whether somebody else imported them."""
        verdicts: dict[tuple[str, bool], dict[str, None]] = defaultdict(dict)
        for annotation in self.said:
            if isinstance(annotation, WithVerdict):
                author = annotation.author, annotation.imported_by is not None
                verdicts[author][annotation.verdict] = None
        return {author: tuple(of_author) for author, of_author in verdicts.items()}

    @property
    def changes(self) -> tuple[str, ...]:
        """The differences known without reading the files."""
        return describe_changes(self.match)


def describe_changes(match: Match) -> tuple[str, ...]:
    """Describe how an exhibit differs from the one it matches."""
    changes = []
    if match.mirrored:
        changes.append(gettext("mirrored: left and right are exchanged"))
    if not match.other.whole:
        changes.append(
            gettext("cropped: about %(area)s of the other’s picture", area=shown(match.other.area, ".0%"))
        )
    if not match.own.whole:
        changes.append(
            gettext(
                "shows more around it: the other is about %(area)s of this picture",
                area=shown(match.own.area, ".0%"),
            )
        )
    if match.differs in _EDGES:
        changes.append(
            gettext(
                "differs at the %(differs)s of the picture, as with a caption or a bar",
                differs=gettext(_EDGES[match.differs]),
            )
        )
    elif match.differs:
        changes.append(gettext("differs in a part of the picture: something was added, covered or replaced"))
    if match.size != match.other_size:
        own, other = (f"{width} × {height}" for width, height in (match.size, match.other_size))
        changes.append(gettext("%(own)s pixels instead of %(other)s", own=own, other=other))
    return tuple(changes) or (gettext("the pictures as wholes do not differ"),)


def copies_of(exhibit_id: int, than: AnalysisRow | None = None) -> tuple[Copy, ...]:
    """Return the copies of an exhibit, first those uploaded before ``than``, then by how much they share."""
    either = or_(MatchRow.exhibit_id == exhibit_id, MatchRow.other_id == exhibit_id)
    with visible_session() as session:
        matches = {
            row.other_id if row.exhibit_id == exhibit_id else row.exhibit_id: row
            for row in session.scalars(select(MatchRow).where(either))
        }
        known = _with_copies(session, [exhibit_id, *matches])
        matches = {other: row for other, row in matches.items() if {exhibit_id, other} <= known}
        analyses = _representative_analyses(session, matches)
        uploads = _first_uploads(session, analyses)
        annotations = _current_annotations(session, [row.id for row in analyses.values()])
        comparisons = _newest_comparisons(session, exhibit_id)
    copies = []
    for other_id, row in analyses.items():
        match = Match.model_validate_json(matches[other_id].body)
        first_upload, count = uploads[other_id]
        statements = annotations[row.id]
        copies.append(
            Copy(
                match=match if matches[other_id].exhibit_id == exhibit_id else match.inverse(),
                analysis=row,
                analyses=count,
                earlier=than is None or first_upload < than.created,
                said=tuple(statements[:_MAX_ANNOTATIONS]),
                more_said=max(0, len(statements) - _MAX_ANNOTATIONS),
                compared=comparisons.get(other_id),
            )
        )
    return tuple(
        sorted(
            copies,
            key=lambda copy: (copy.earlier, copy.match.of_all, copy.match.share, copy.analysis.created),
            reverse=True,
        )
    )


def _newest_comparisons(session: Session, exhibit_id: int) -> dict[int, ComparisonRow]:
    """Return, by other exhibit, the newest finished comparison with it, whichever was the reference."""
    either = or_(ComparisonRow.exhibit_id == exhibit_id, ComparisonRow.reference_id == exhibit_id)
    done = select(ComparisonRow).where(either, ComparisonRow.state == State.DONE)
    return {
        row.reference_id if row.exhibit_id == exhibit_id else row.exhibit_id: row
        for row in session.scalars(done.order_by(ComparisonRow.created, ComparisonRow.id))
    }


def count_copies(exhibit_id: int) -> int:
    """Count the matching exhibits that the current user may see."""
    with visible_session() as session:
        return count_copies_by_exhibit(session, [exhibit_id])[exhibit_id]


def count_copies_by_exhibit(session: Session, exhibits: Iterable[int]) -> Counter[int]:
    """Like :func:`count_copies` for several exhibits, in a session of :func:`visible_session`."""
    return Counter(own for own, _ in _known_pairs(session, exhibits))


def matching_exhibits(session: Session, exhibit_id: int) -> frozenset[int]:
    """Return ids of the matching exhibits that the current user may see, as :func:`count_copies` does."""
    return frozenset(other for _, other in _known_pairs(session, [exhibit_id]))


def _known_pairs(session: Session, exhibits: Iterable[int]) -> list[tuple[int, int]]:
    """Return each exhibit with each match, where the current user may know both."""
    pairs = [(own, other) for own, other in session.execute(_matching_pairs(exhibits))]
    known = _with_copies(session, {exhibit for pair in pairs for exhibit in pair})
    return [pair for pair in pairs if known.issuperset(pair)]


def _with_copies(session: Session, exhibits: Iterable[int]) -> set[int]:
    """Return those of the exhibits whose copies the current user may know."""
    ids = list(exhibits)
    query = select(Exhibit.id).where(Exhibit.id.in_(ids), Exhibit.id.in_(exhibits_with_copies()))
    return set(session.scalars(query)) if ids else set()


def _matching_pairs(exhibits: Iterable[int]) -> Select[int, int]:
    """Select each exhibit with each one that matches it, in both directions."""
    ids = list(exhibits)
    both = union_all(
        select(MatchRow.exhibit_id.label("own"), MatchRow.other_id.label("other")).where(
            MatchRow.exhibit_id.in_(ids)
        ),
        select(MatchRow.other_id, MatchRow.exhibit_id).where(MatchRow.other_id.in_(ids)),
    ).subquery()
    return select(both.c.own, both.c.other)


def _representative_analyses(session: Session, exhibits: Iterable[int]) -> dict[int, AnalysisRow]:
    """Return, by exhibit, the latest finished analysis, or else the latest."""
    done_last = case((AnalysisRow.state == State.DONE, 1), else_=0)
    query = select(AnalysisRow).where(AnalysisRow.exhibit_id.in_(list(exhibits)))
    ordered = query.order_by(done_last, AnalysisRow.created)
    return {row.exhibit_id: row for row in session.scalars(ordered)}


def _first_uploads(session: Session, exhibits: Iterable[int]) -> dict[int, tuple[datetime, int]]:
    """Return, by exhibit, when it was first uploaded, and the number of its analyses."""
    query = select(AnalysisRow.exhibit_id, func.min(AnalysisRow.created), func.count())
    query = query.where(AnalysisRow.exhibit_id.in_(list(exhibits))).group_by(AnalysisRow.exhibit_id)
    return {exhibit: (created, count) for exhibit, created, count in session.execute(query)}


def _current_annotations(session: Session, analyses: Sequence[str]) -> dict[str, list[Annotation]]:
    """Return, by analysis, the annotations in force, latest first."""
    rows = select(AnnotationRow.analysis_id, AnnotationRow.body).where(
        AnnotationRow.analysis_id.in_(list(analyses))
    )
    annotations: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, body in session.execute(rows):
        annotations[analysis_id].append(ANNOTATION.validate_json(body))
    in_force: dict[str, list[Annotation]] = defaultdict(list)
    for analysis_id, of_analysis in annotations.items():
        verdicts = [item for item in current(of_analysis) if isinstance(item, WithVerdict)]
        in_force[analysis_id] = sorted(verdicts, key=lambda item: item.made, reverse=True)
    return in_force

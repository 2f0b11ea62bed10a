"""Who is who after what reviewers renamed, merged and split: what the desk's script works out, in Python.

Tests hold to it `static/js/review/data.js` and `References` of :mod:`reports.review.annotations`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detector.schema.analysis import Analysis
from reports.review import annotations
from reports.review.annotations import Annotation, PersonRename, current, sort_key, verified


@dataclass(frozen=True)
class ReviewedPerson:
    """A person as the reviewers see it: which of the machine's tracks it consists of.

    ``id`` is the machine's letter, or one after the machine's last for a face split off.
    """

    id: str
    name: str
    tracks: tuple[int, ...]


def reviewed_persons(analysis: Analysis, acts: Iterable[Annotation]) -> tuple[ReviewedPerson, ...]:
    """The persons in the machine's order. Acts of authors who are not verified change nothing."""
    known = sorted(filter(verified, acts), key=sort_key)
    tracks = annotations._tracks(analysis, known)
    names = {who: f"Person {who}" for who in tracks}
    names |= {act.person: act.name for act in current(known) if isinstance(act, PersonRename)}
    return tuple(ReviewedPerson(who, names[who], tuple(sorted(own))) for who, own in tracks.items())

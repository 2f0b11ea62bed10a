"""Persons, segments and coverage made up for tests of the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detector.schema.analysis import Coverage, MediaKind, Parameters, Person, Segment, Verdict
from detector.schema.causes.cause import join
from detector.verdict import verdict as rules
from detector.verdict.judged_persons import JudgedExhibit

DEFAULT = Parameters()
VIDEO, IMAGE = MediaKind.VIDEO, MediaKind.IMAGE


def coverage(**changed: Any) -> Coverage:
    seen = {
        "frames_sampled": 80,
        "frames_with_face": 80,
        "frames_with_usable_face": 80,
        "faces_found": 80,
        "faces_unusable": 0,
        "faces_discarded": 0,
        "cuts": (),
        "not_examined": (),
    }
    return Coverage(**{**seen, **changed})


def person(
    name: str = "A", usable: int = 80, probability: float = 0.1, screen_time: float | None = None
) -> Person:
    """``usable`` frames of somebody; on screen for as long as these last, unless said otherwise."""
    return Person(
        id=name,
        median_box=(0, 0, 90, 90),
        screen_time=usable / 8 if screen_time is None else screen_time,
        tracks=(0,),
        usable_frames=usable,
        probability=probability if usable else None,
        scores=(),
    )


def exhibit(
    kind: MediaKind, parameters: Parameters, persons: Sequence[Person], segments: Sequence[Segment]
) -> JudgedExhibit:
    """One of which it does not matter how much was judged."""
    return JudgedExhibit(kind, parameters, coverage(), persons, segments)


def decide(
    kind: MediaKind,
    parameters: Parameters,
    seen: Coverage,
    persons: Sequence[Person],
    segments: Sequence[Segment],
    few: Mapping[str, int] | None = None,
) -> tuple[Verdict, str]:
    verdict, causes = rules.decide(JudgedExhibit(kind, parameters, seen, persons, segments), few or {})
    return verdict, join(causes)


def segment(who: str = "A", start: float = 2.0, end: float = 4.5) -> Segment:
    return Segment(id=f"{who}1", person=who, start=start, end=end, confidence=0.9, frames=20, peaks=())

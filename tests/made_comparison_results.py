"""Results of comparisons made up for tests, with no engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from detector.comparison.statements import LIMITS, UNRELATED_LIMITS, segment_statement, summary
from detector.schema.analysis import Library, MediaKind
from detector.schema.causes.cause import join
from detector.schema.causes.comparisons import GapCode
from detector.schema.comparison import (
    ComparedFile,
    ComparedPeak,
    ComparedPerson,
    ComparedSegment,
    Comparison,
    ComparisonParameters,
    FaceDifference,
    Interval,
    TimePiece,
    Transform,
    UnmatchedInterval,
)

WIDTH, HEIGHT = 320, 180


def file_of(name: str, sha256: str, *, still: bool = False, duration: float = 6.0) -> ComparedFile:
    return ComparedFile(
        file=name,
        bytes=7,
        sha256=sha256,
        kind=MediaKind.IMAGE if still else MediaKind.VIDEO,
        width=WIDTH,
        height=HEIGHT,
        duration=0.0 if still else duration,
        frame_rate=None if still else "25/1",
    )


def write_pictures(folder: Path, name: str) -> None:
    (folder / "pictures").mkdir(exist_ok=True)
    seen = np.full((HEIGHT, WIDTH, 3), (60, 90, 160), np.uint8)
    known = np.full((HEIGHT, WIDTH, 3), (160, 90, 60), np.uint8)
    cv2.circle(seen, (160, 90), 40, (220, 220, 240), -1)
    cv2.circle(known, (160, 90), 40, (40, 120, 40), -1)
    both = np.hstack([seen, np.full((HEIGHT, 8, 3), 255, np.uint8), known])
    for kind, picture in (("", both), ("-difference", cv2.absdiff(seen, known)), ("-overlay", seen)):
        assert cv2.imwrite(str(folder / "pictures" / f"{name}{kind}.png"), picture)


def comparison_of(
    folder: Path,
    names: tuple[str, str],
    sums: tuple[str, str],
    *,
    related: bool = True,
    still: bool = False,
    found_at: float | None = None,
    without: tuple[str, ...] = (),
) -> Comparison:
    """A result, whose pictures are written: the face of person A differs between 2.0 and 3.5 seconds.

    ``found_at``: the exhibit, a photo, is a still of the reference, a video. ``without``: empty fields.
    """
    peak = ComparedPeak(
        time=0.0 if still else 2.5,
        reference_time=0.0 if still else 3.5,
        pts=64,
        reference_pts=90,
        box=(120.0, 50.0, 200.0, 130.0),
        side_by_side="pictures/A1-1.png",
        difference="pictures/A1-1-difference.png",
        overlay="pictures/A1-1-overlay.png",
    )
    segment = ComparedSegment(
        id="A1",
        person="A",
        start=0.0 if still else 2.0,
        end=0.0 if still else 3.5,
        reference_start=0.0 if still else 3.0,
        reference_end=0.0 if still else 4.5,
        confidence=0.97,
        difference=3.2,
        surroundings=0.1,
        frames=12,
        peaks=(peak,),
        statement="",
    )
    cause = segment_statement(segment)
    segment = segment.model_copy(update={"statement": cause.text, "cause": cause})
    face = FaceDifference(
        time=peak.time,
        reference_time=peak.reference_time,
        pts=64,
        reference_pts=90,
        box=peak.box,
        difference=3.2,
        surroundings=0.1,
        probability=0.97,
        smoothed=0.97,
    )
    person = ComparedPerson(id="A", median_box=peak.box, frames=12, probability=0.97, differences=(face,))
    if related:
        write_pictures(folder, "A1-1")
    limits = LIMITS if related else UNRELATED_LIMITS
    made = Comparison(
        related=related,
        statement="",
        limits=limits.text,
        limits_cause=limits,
        exhibit=file_of(names[0], sums[0], still=still, duration=6.0),
        reference=file_of(names[1], sums[1], still=still and found_at is None, duration=8.0),
        time_map=_pieces(still, found_at) if related else (),
        gaps=(UnmatchedInterval(file="exhibit", start=5.0, end=6.0, cause=GapCode.ONLY_IN_EXHIBIT.cause()),)
        if related and not still
        else (),
        transform=_TRANSFORM if related else None,
        persons=(person,) if related else (),
        segments=(segment,) if related else (),
        regions=(),
        not_compared=(),
        parameters=ComparisonParameters(),
        reelproof="0.3",
        created="2026-11-22T10:00:00Z",
        libraries=(Library(name="numpy", version="2"),),
    )
    made = made.model_copy(update=dict.fromkeys(without, ()))
    causes = tuple(summary(made))
    return made.model_copy(update={"statement": join(causes), "causes": causes})


_TRANSFORM = Transform(
    matrix=((1.25, 0.0, 0.0), (0.0, 1.25, 0.0)),
    scale=0.8,
    stretch=1.0,
    rotation=0.0,
    mirror=False,
    crop=(0.0, 0.0, 320.0, 180.0),
    shown=(0.0, 0.0, 320.0, 180.0),
    uncertainty=0.2,
    agreement=0.95,
)


def _pieces(still: bool, found_at: float | None) -> tuple[TimePiece, ...]:
    if still and found_at is None:
        return ()
    if found_at is not None:
        here, there = Interval(start=0.0, end=0.0), Interval(start=found_at, end=found_at)
        piece = TimePiece(
            exhibit=here, reference=there, speed=1.0, uncertainty=0.02, frames=1, agreement=0.95
        )
        return (piece,)
    return (
        TimePiece(
            exhibit=Interval(start=0.0, end=5.0),
            reference=Interval(start=1.0, end=6.0),
            speed=1.0,
            uncertainty=0.02,
            frames=125,
            agreement=0.95,
        ),
    )

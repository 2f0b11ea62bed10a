"""Clips for the annotated video, and analyses made up for them.

Each frame says its own number in its upper half; in the lower half a face's box moves three pixels a
frame, far more than the line is wide. So a box, a heatmap or a time on the wrong frame shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from analyses import build
from clips import HEIGHT, WIDTH, number_of, numbered

from detector.annotated_video import Annotated, annotate
from detector.annotated_video.drawing import COLOURS, FaceState, FrameLayout, arrange
from detector.media.open import open_media
from detector.schema.analysis import Analysis, Parameters, Person, Score, Scores, Segment

STEP = 3  # source px a box moves from one frame to the next
LEFT, TOP, BOX_WIDTH, BOTTOM = 8, 66, 30, 88
CONSTANT = list(range(30))
# Ticks of 1/120 s: gaps of 1 to 12, and nothing at a regular distance from anything.
VARIABLE = [0, 1, 7, 9, 20, 21, 22, 33, 40, 52, 53, 55, 60, 72, 80, 81, 83, 90, 101, 102]


def picture(number: int) -> np.ndarray:
    """:func:`numbered`, its lower half plain and dark so that lines stand out."""
    image = numbered(number)
    image[HEIGHT // 2 :] = 40
    return image


def left_of(number: float) -> float:
    """Where the box of a frame starts, in px."""
    return LEFT + STEP * number


@dataclass
class Frame:
    """One frame of the annotated video."""

    time: Fraction
    image: np.ndarray

    def source(self, layout: FrameLayout) -> np.ndarray:
        """The picture at the exhibit's own size."""
        area = layout.picture
        part = self.image[area.y : area.bottom, area.x : area.right]
        return cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)

    def columns(self, layout: FrameLayout, state: FaceState) -> tuple[float, float] | None:
        """First and last column, in source px, of lines in the colour of ``state``."""
        area = layout.picture
        scale = area.width / WIDTH
        rows = slice(area.y + round((TOP + 4) * scale), area.y + round((BOTTOM - 4) * scale))
        near = np.abs(self.image[rows, area.x : area.right].astype(int) - COLOURS[state]).max(axis=2) < 70
        indices = np.flatnonzero(near.mean(axis=0) > 0.3)
        return (indices[0] / scale, (indices[-1] + 1) / scale) if len(indices) else None


@dataclass
class Case:
    """A clip and an analysis made up for it."""

    path: Path
    analysis: Analysis
    times: list[Fraction]  # of its frames, from the first
    layout: FrameLayout
    folder: Path

    def annotated(
        self, maps: dict[str, Path] | None = None, moving: dict[str, Path] | None = None, **changes: Any
    ) -> tuple[Annotated, list[Frame]]:
        out = self.folder / "annotated.mp4"
        analysis = self.analysis.model_copy(update=changes)
        made = annotate(self.path, analysis, out, maps or {}, moving=moving)
        return made, read(out)


def read(path: Path) -> list[Frame]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        return [
            Frame(frame.pts * stream.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(stream)
        ]


def case(path: Path, sampled: Callable[[int], bool] = lambda n: n % 3 == 0, **changes: Any) -> Case:
    """What an analysis of ``path`` would be if it saw one face move as :func:`left_of` says."""
    with open_media(path) as reader:
        seen = [(pts, reader.orientation(frame)) for frame, pts in reader.every_frame()]
        first = seen[0][0]
        times = [(pts - first) * reader.time_base for pts, _ in seen]
        facts: dict[str, Any] = {
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "width": WIDTH,
            "height": HEIGHT,
            "duration": float(reader.duration),
            "frames_decoded": len(seen),
            "time_base": str(reader.time_base),
            "has_sound": reader.has_sound,
        }
    scores = [
        Score(
            time=float(time),
            pts=pts,
            track=0,
            box=(left_of(number), TOP, left_of(number) + BOX_WIDTH, BOTTOM),
            usable=True,
            logit=-2.0,
            probability=0.12,
            smoothed=0.12,
        )
        for number, ((pts, _), time) in enumerate(zip(seen, times, strict=True))
        if sampled(number)
    ]
    base = build(path.parent, segments=0, persons=1, kept=False, count=1)
    person = base.persons[0].model_copy(update={"scores": Scores(scores), "tracks": (0,)})
    analysis = base.model_copy(
        update={
            "media": base.media.model_copy(update=facts),
            "persons": (person,),
            "parameters": Parameters(),
            "segments": (),
            **changes,
        }
    )
    layout = arrange(WIDTH, HEIGHT, Fraction(1), len(analysis.persons), False)
    return Case(path, analysis, times, layout, path.parent)


def with_scores(made: Case, change: Callable[[Score], Score]) -> tuple[Person, ...]:
    (person,) = made.analysis.persons
    return (person.model_copy(update={"scores": Scores(map(change, person.scores))}),)


def flagged(made: Case, first: int, last: int, peaks: Iterable[int] = ()) -> tuple[Segment, ...]:
    """A segment from one frame's number to another's, with peak frames."""
    template = build(made.folder, segments=1, persons=1, peaks=1, kept=False, count=1).segments[0]
    pts = {score.time: score.pts for score in made.analysis.persons[0].scores}
    peak_frames = tuple(
        template.peaks[0].model_copy(
            update={
                "time": float(made.times[number]),
                "pts": pts[float(made.times[number])],
                "box": (left_of(number), TOP, left_of(number) + BOX_WIDTH, BOTTOM),
                "map": f"overlays/A1-{number}-map.png",
            }
        )
        for number in peaks
    )
    start, end = float(made.times[first]), float(made.times[last])
    return (template.model_copy(update={"id": "A1", "start": start, "end": end, "peaks": peak_frames}),)


def assert_in_step(frames: list[Frame], made: Case, state: FaceState = FaceState.LOW) -> None:
    """Every frame is there once, at its time, with the box where the face is at that time."""
    assert [frame.time for frame in frames] == made.times
    scores = made.analysis.persons[0].scores
    at = [score.time for score in scores]
    for number, frame in enumerate(frames):
        assert number_of(frame.source(made.layout)) == number
        expected = np.interp(float(frame.time), at, [score.box[0] for score in scores])
        columns = frame.columns(made.layout, state)
        assert columns is not None, number
        # A line is 2 px of the 640, so half a px of the source; a frame is 3.
        assert columns[0] == pytest.approx(expected, abs=0.8), number
        assert columns[1] == pytest.approx(expected + BOX_WIDTH, abs=0.8), number

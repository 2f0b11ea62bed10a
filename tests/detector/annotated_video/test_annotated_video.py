"""The annotated video: nothing is drawn on the wrong frame, whatever the clip's clock or rotation.

Each frame of the clips says its own number in its upper half; in the lower half a face's box
moves three pixels a frame, far more than the line is wide. So a box, a heatmap or a time on
the wrong frame shows.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from analyses import build, write_png
from clips import HEIGHT, WIDTH, box, number_of, numbered, packets, write_clip, write_sound

from detector.annotated_video import Annotated, annotate, video
from detector.annotated_video.drawing import COLOURS
from detector.annotated_video.lanes import State
from detector.annotated_video.layout import Layout, arrange
from detector.cli.main import main
from detector.errors import MediaError
from detector.media.open import open_media
from detector.paths import ROOT
from detector.sandbox import capabilities, process
from detector.schema.analysis import Analysis, Media, MediaKind, Parameters, Person, Score, Scores, Segment
from detector.schema.formatting import timecode

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

    def source(self, layout: Layout) -> np.ndarray:
        """The picture at the exhibit's own size."""
        area = layout.picture
        part = self.image[area.y : area.bottom, area.x : area.right]
        return cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)

    def columns(self, layout: Layout, state: State) -> tuple[float, float] | None:
        """First and last column, in source px, of lines in the colour of ``state``."""
        area = layout.picture
        scale = area.width / WIDTH
        rows = slice(area.y + round((TOP + 4) * scale), area.y + round((BOTTOM - 4) * scale))
        near = np.abs(self.image[rows, area.x : area.right].astype(int) - COLOURS[state]).max(axis=2) < 70
        found = np.flatnonzero(near.mean(axis=0) > 0.3)
        return (found[0] / scale, (found[-1] + 1) / scale) if len(found) else None


@dataclass
class Case:
    """A clip and an analysis made up for it."""

    path: Path
    analysis: Analysis
    times: list[Fraction]  # of its frames, from the first
    layout: Layout
    folder: Path

    def annotated(self, maps: dict[str, Path] | None = None, **changes: Any) -> tuple[Annotated, list[Frame]]:
        out = self.folder / "annotated.mp4"
        made = annotate(self.path, self.analysis.model_copy(update=changes), out, maps or {})
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
    found = tuple(
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
    return (template.model_copy(update={"id": "A1", "start": start, "end": end, "peaks": found}),)


def assert_in_step(frames: list[Frame], made: Case, state: State = State.LOW) -> None:
    """Every frame is there once, at its time, with the box where the face is at that time."""
    assert [frame.time for frame in frames] == made.times
    scores = made.analysis.persons[0].scores
    at = [score.time for score in scores]
    for number, frame in enumerate(frames):
        assert number_of(frame.source(made.layout)) == number
        expected = np.interp(float(frame.time), at, [score.box[0] for score in scores])
        found = frame.columns(made.layout, state)
        assert found is not None, number
        # A line is 2 px of the 640, so half a px of the source; a frame is 3.
        assert found[0] == pytest.approx(expected, abs=0.8), number
        assert found[1] == pytest.approx(expected + BOX_WIDTH, abs=0.8), number


def rotated(path: Path, quarter_turns: int) -> Path:
    """Say in the file that frames are to be turned clockwise."""
    a, b, c, d = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter_turns]
    data = bytearray(path.read_bytes())
    where = box(bytes(data), b"tkhd") + 40
    struct.pack_into(">5i", data, where, *(value * 65536 for value in (a, b, 0, c, d)))
    path.write_bytes(data)
    return path


class TestNothingOnTheWrongFrame:
    def test_constant_rate(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)))
        result, frames = made.annotated()
        assert result == Annotated(30, 0, 0, "none in the exhibit")
        assert_in_step(frames, made)

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov"])
    def test_variable_rate(self, tmp_path: Path, name: str) -> None:
        path = write_clip(
            tmp_path / name,
            map(picture, range(len(VARIABLE))),
            pts=VARIABLE,
            time_base=Fraction(1, 120),
            rate=30,
        )
        made = case(path)
        assert len({b - a for a, b in zip(made.times, made.times[1:], strict=False)}) > 5
        assert_in_step(made.annotated()[1], made)

    def test_frames_out_of_order_in_the_file(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            map(picture, range(len(VARIABLE))),
            pts=VARIABLE,
            time_base=Fraction(1, 120),
            options={"crf": "12", "bf": "3", "b-adapt": "0"},
        )
        made = case(path)
        assert_in_step(made.annotated()[1], made)

    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_rotation_and_variable_rate(self, tmp_path: Path, turns: int) -> None:
        stored = (np.ascontiguousarray(np.rot90(picture(n), turns)) for n in range(len(VARIABLE)))
        path = write_clip(tmp_path / "clip.mp4", stored, pts=VARIABLE, time_base=Fraction(1, 120))
        made = case(rotated(path, turns))
        assert_in_step(made.annotated()[1], made)

    def test_ntsc_in_avi(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.avi",
            map(picture, CONSTANT),
            time_base=Fraction(1001, 30000),
            rate=Fraction(30000, 1001),
            codec="mpeg4",
            options={"q": "2"},
        )
        made = case(path)
        assert made.times[-1] == 29 * Fraction(1001, 30000)
        assert_in_step(made.annotated()[1], made)

    @pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
    def test_a_clip_that_starts_late(self, tmp_path: Path, name: str) -> None:
        pts = [100 + tick for tick in VARIABLE]
        path = write_clip(
            tmp_path / name, map(picture, range(len(VARIABLE))), pts=pts, time_base=Fraction(1, 120)
        )
        made = case(path)
        assert made.times[0] == 0
        assert_in_step(made.annotated()[1], made)

    def test_a_broken_frame_shifts_no_other(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4", map(picture, CONSTANT), options={"crf": "12", "g": "1", "bf": "0"}
        )
        offset, size, _ = packets(path)[12]
        data = bytearray(path.read_bytes())
        data[offset : offset + size] = bytes(size)
        path.write_bytes(data)
        made = case(path)
        assert len(made.times) == 29
        numbers = [number_of(frame.source(made.layout)) for frame in made.annotated()[1]]
        assert numbers == [number for number in CONSTANT if number != 12]
        assert [round(time * 25) for time in made.times] == numbers

    def test_the_box_is_that_of_the_sampled_frame_itself(self, tmp_path: Path) -> None:
        """Every frame sampled, boxes on no line at all."""
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)), lambda n: True)
        lefts = [int(value) for value in np.random.default_rng(7).integers(8, 110, 30)]
        moved = with_scores(
            made,
            lambda score: score.model_copy(
                update={
                    "box": (
                        lefts[round(score.time * 25)],
                        TOP,
                        lefts[round(score.time * 25)] + BOX_WIDTH,
                        BOTTOM,
                    )  # fmt: skip
                }
            ),
        )
        for frame, left in zip(made.annotated(persons=moved)[1], lefts, strict=True):
            found = frame.columns(made.layout, State.LOW)
            assert found is not None and found[0] == pytest.approx(left, abs=0.8)

    def test_a_face_that_is_lost_has_no_box(self, tmp_path: Path) -> None:
        """Sampled at frames 0 to 5 and 24 to 29 only: shown for 0.15 s after, then not until it is back."""
        path = write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT))
        made = case(path, lambda n: n <= 5 or n >= 24)
        shown = [frame.columns(made.layout, State.LOW) is not None for frame in made.annotated()[1]]
        # 0.15 s after frame 5 (0.20 s) is 0.35 s; frame 8 is at 0.32 s, frame 9 at 0.36 s.
        assert [number for number, there in enumerate(shown) if not there] == list(range(9, 24))

    def test_no_straight_line_from_one_track_to_the_next(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)), lambda n: n % 6 == 0)
        changed = with_scores(
            made, lambda s: s.model_copy(update={"track": int(s.time > 0.3)})
        )  # frames 0, 6 and then 12 on
        frames = made.annotated(persons=changed)[1]
        for number in (7, 8, 9):  # the box stays where it was last seen
            found = frames[number].columns(made.layout, State.LOW)
            assert found is not None and found[0] == pytest.approx(left_of(6), abs=0.8)
        assert frames[10].columns(made.layout, State.LOW) is None
        found = frames[13].columns(made.layout, State.LOW)
        assert found is not None and found[0] == pytest.approx(left_of(13), abs=0.8)


GREEN = (0, 255, 0)


class TestHeatmaps:
    PEAKS = (3, 9, 12)

    def prepared(self, tmp_path: Path, pts: list[int] | None = None) -> tuple[Case, dict[str, Path]]:
        count = len(pts) if pts else 30
        made = case(
            write_clip(
                tmp_path / "clip.mp4",
                map(picture, range(count)),
                pts=pts,
                time_base=Fraction(1, 120) if pts else Fraction(1, 25),
            )
        )
        segments = flagged(made, 3, 15, self.PEAKS)
        maps = {}
        for number, peak in zip(self.PEAKS, segments[0].peaks, strict=True):
            layer = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
            # A patch whose place says which peak it belongs to, clear of the box and its label.
            layer[HEIGHT - 6 :, 40 + 2 * number : 48 + 2 * number] = (*GREEN, 255)
            path = made.folder / str(peak.map)
            write_png(path, layer)
            maps[str(peak.map)] = path
        made.analysis = made.analysis.model_copy(update={"segments": segments})
        made.layout = arrange(WIDTH, HEIGHT, Fraction(1), 1, True)
        return made, maps

    def green(self, frame: Frame, layout: Layout) -> list[int]:
        bottom = frame.source(layout)[HEIGHT - 5 : HEIGHT - 1].astype(int).mean(axis=0)
        return list(np.flatnonzero((bottom[:, 1] - bottom[:, 0] > 80) & (bottom[:, 1] - bottom[:, 2] > 80)))

    @pytest.mark.parametrize("pts", [None, VARIABLE])
    def test_on_their_peak_frames_and_no_others(self, tmp_path: Path, pts: list[int] | None) -> None:
        made, maps = self.prepared(tmp_path, pts)
        result, frames = made.annotated(maps)
        assert (result.heatmaps, result.heatmaps_missing) == (3, 0)
        for number, frame in enumerate(frames):
            found = self.green(frame, made.layout)
            if number in self.PEAKS:
                assert abs(found[0] - (40 + 2 * number)) <= 1 and abs(found[-1] - (47 + 2 * number)) <= 1
            else:
                assert not found, number

    def test_a_map_of_another_size_lies_where_it_belongs(self, tmp_path: Path) -> None:
        made, maps = self.prepared(tmp_path)
        path = next(iter(maps.values()))
        layer = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        write_png(path, cv2.resize(layer, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST))
        found = self.green(made.annotated(maps)[1][3], made.layout)
        assert abs(found[0] - 46) <= 1 and abs(found[-1] - 53) <= 1

    def test_beside_the_scores_until_two_seconds_later(self, tmp_path: Path) -> None:
        """The picture in the panel is that of the last peak frame before; it starts with that frame."""
        made, maps = self.prepared(tmp_path)
        frames = made.annotated(maps)[1]
        place = made.layout.inset
        assert place is not None

        def inset(number: int) -> np.ndarray:
            image = frames[number].image[place.y + 4 : place.bottom - 4, place.x + 4 : place.right - 4]
            return image.astype(int)

        empty = inset(0)
        for number in range(30):
            blank = np.abs(inset(number) - empty).mean() < 4
            assert blank == (number < 3), number

        def differs(number: int) -> bool:
            return bool((np.abs(inset(number) - inset(3)).max(axis=2) > 80).mean() > 0.003)

        assert [differs(number) for number in range(3, 13)] == [False] * 6 + [True] * 4

    @pytest.mark.parametrize("how", ["gone", "text", "cut short", "without alpha", "vast", "not given"])
    def test_one_that_cannot_be_read_is_counted(self, tmp_path: Path, how: str) -> None:
        made, maps = self.prepared(tmp_path)
        name, path = next(iter(maps.items()))
        data = path.read_bytes()
        if how == "gone":
            path.unlink()
        elif how == "text":
            path.write_text("none")
        elif how == "cut short":
            path.write_bytes(data[: len(data) // 2])
        elif how == "without alpha":
            write_png(path, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        elif how == "vast":
            path.write_bytes(data[:16] + struct.pack(">II", 100_000, 100_000) + data[24:])
        else:
            del maps[name]
        result, frames = made.annotated(maps)
        assert (result.heatmaps, result.heatmaps_missing) == (2, 1)
        assert not self.green(frames[3], made.layout) and self.green(frames[9], made.layout)


class TestWhatIsSaid:
    def test_states_differ_by_more_than_colour(self, tmp_path: Path) -> None:
        """Dashed, dotted, plain and doubled lines: seen in black and white as well."""
        path = write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT))
        made = case(path, lambda n: True)
        unjudged = {"usable": False, "logit": None, "probability": None, "smoothed": None}
        shares = {}
        for state, change in {
            State.LOW: {},
            State.RAISED: {"smoothed": 0.6},
            State.NOT_JUDGED: unjudged,
        }.items():
            persons = with_scores(made, lambda score, change=change: score.model_copy(update=change))
            frame = made.annotated(persons=persons)[1][10]
            found = frame.columns(made.layout, state)
            assert found is not None
            scale = made.layout.picture.width / WIDTH
            column = made.layout.picture.x + round(left_of(10) * scale)
            rows = slice(
                made.layout.picture.y + round((TOP + 3) * scale),
                made.layout.picture.y + round((BOTTOM - 3) * scale),
            )
            shares[state] = float((frame.image[rows, column].mean(axis=1) > 110).mean())
        assert shares[State.LOW] == 1
        assert 0.5 < shares[State.RAISED] < 0.9
        assert 0.15 < shares[State.NOT_JUDGED] < 0.5

    def test_a_flagged_face_is_framed_twice_and_only_in_its_segment(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)))
        frames = made.annotated(segments=flagged(made, 6, 18))[1]
        for number, frame in enumerate(frames):
            state = State.FLAGGED if 6 <= number <= 18 else State.LOW
            found = frame.columns(made.layout, state)
            assert found is not None, number
            outside = 7 / 4 if state is State.FLAGGED else 0  # the outer line, 7 px of the 640 further out
            expected = left_of(min(number, 27))  # the last frame sampled
            assert found[0] == pytest.approx(expected - outside, abs=0.9), number

    def test_the_playhead_is_at_the_frames_time(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            map(picture, range(len(VARIABLE))),
            pts=VARIABLE,
            time_base=Fraction(1, 120),
        )
        made = case(path)
        strip = made.layout.strip
        for frame in made.annotated()[1]:
            row = frame.image[strip.y - 6, strip.x - 8 : strip.right + 8].astype(int).min(axis=1)
            middle = float(np.flatnonzero(row > 180).mean()) + strip.x - 8
            share = float(frame.time) / made.analysis.media.duration
            assert middle == pytest.approx(strip.x + share * (strip.width - 1), abs=1.5)

    def test_every_frame_says_that_it_is_no_exhibit(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        frames = made.annotated()[1]
        header = made.layout.header
        for frame in frames:
            part = frame.image[header.y : header.bottom].astype(int)
            yellow = (part[..., 0] > 220) & (part[..., 1] > 180) & (part[..., 2] < 140)
            dark = part.max(axis=2) < 90
            assert yellow.mean() > 0.6 and dark.mean() > 0.04  # a bar with words in it

    def test_the_note_names_exhibit_and_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from detector.annotated_video import panel

        written: list[str] = []
        for name in ("write", "write_bold"):
            real = getattr(panel, name)
            monkeypatch.setattr(
                panel,
                name,
                lambda image, text, *rest, real=real: (written.append(text), real(image, text, *rest)),
            )
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:3])))
        made.annotated()
        said = " ".join(written)
        assert "DERIVED PICTURE, NOT THE EXHIBIT" in said
        assert made.analysis.media.sha256[:16] in said
        assert made.analysis.model.name in said and "clip.mp4" in said
        times = [text for text in written if re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", text)]
        assert {"00:00:00.000", "00:00:00.040", "00:00:00.080"} <= set(times)
        assert {"frame 0   PTS 0", "frame 1   PTS 512", "frame 2   PTS 1024"} <= set(written)

    def test_the_file_says_so_too(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:3])))
        made.annotated()
        with av.open(str(made.folder / "annotated.mp4")) as container:
            tags = container.metadata
        assert tags["title"] == "Derived picture, not the exhibit"
        assert made.analysis.media.sha256 in tags["comment"]
        assert made.analysis.model.sha256 in tags["comment"]

    @pytest.mark.parametrize("persons", [0, 1, 20])
    def test_any_number_of_persons(self, tmp_path: Path, persons: int) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:3])))
        people = tuple(
            made.analysis.persons[0].model_copy(update={"id": chr(65 + index)}) for index in range(persons)
        )
        assert len(made.annotated(persons=people)[1]) == 3

    def test_faces_at_and_over_the_edge_stay_in_the_picture(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:3])), lambda n: True)
        edge = with_scores(made, lambda s: s.model_copy(update={"box": (-30, -20, WIDTH + 40, HEIGHT + 30)}))
        plain = made.annotated(persons=())[1]
        drawn = made.annotated(persons=edge)[1]
        header = made.layout.header
        for one, other in zip(plain, drawn, strict=True):
            assert (
                np.abs(one.image[: header.bottom - 4].astype(int) - other.image[: header.bottom - 4]).max()
                < 60
            )


class TestLayout:
    @pytest.mark.parametrize(
        ("width", "height"),
        [(1920, 1080), (1080, 1920), (3840, 2160), (160, 96), (640, 480), (7, 5), (4000, 10)],
    )
    @pytest.mark.parametrize("persons", [0, 1, 7])
    @pytest.mark.parametrize("heatmaps", [False, True])
    def test_parts_lie_apart_and_inside(self, width: int, height: int, persons: int, heatmaps: bool) -> None:
        layout = arrange(width, height, Fraction(1), persons, heatmaps)
        assert layout.width % 2 == layout.height % 2 == 0
        assert 640 <= layout.width <= 1280
        area = layout.picture
        assert max(area.width, area.height) <= 1280
        assert area.x >= 0 and area.right <= layout.width
        assert layout.header.bottom == area.y and area.bottom == layout.clock.y
        assert layout.clock.bottom == layout.strip.y and layout.foot.bottom <= layout.height
        assert layout.strip.bottom <= layout.foot.y
        if layout.inset is not None:
            assert layout.strip.right < layout.inset.x and layout.inset.right <= layout.width
            assert layout.inset.bottom <= layout.foot.y
        for row in range(layout.lanes):
            lane = layout.lane(row)
            assert layout.strip.y <= lane.y < lane.bottom <= layout.strip.bottom

    def test_pixels_come_out_square(self) -> None:
        wide = arrange(720, 576, Fraction(64, 45), 1, False).picture
        assert wide.width / wide.height == pytest.approx(16 / 9, abs=0.01)
        tall = arrange(720, 576, Fraction(1, 2), 1, False).picture
        assert tall.width / tall.height == pytest.approx(720 / 1152, abs=0.01)

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3661.25, "01:01:01.250")]
    )
    def test_times_read_as_in_reports(self, seconds: float, text: str) -> None:
        from reports.text.numbers import timecode as theirs

        assert timecode(seconds) == theirs(seconds) == text


def sound_packets(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (float(packet.pts * stream.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]


class TestSound:
    def test_is_copied_as_it_is(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        result, frames = made.annotated()
        assert result.sound == "copied unchanged"
        assert_in_step(frames, made)
        heard = [packet for packet in sound_packets(made.path) if packet[0] >= 0]
        copied = sound_packets(made.folder / "annotated.mp4")
        assert [data for _, data in copied] == [data for _, data in heard]
        assert [time for time, _ in copied] == pytest.approx([time for time, _ in heard], abs=1e-4)

    def test_keeps_its_place_beside_a_picture_that_starts_late(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mkv", map(picture, CONSTANT), pts=[5 + n for n in CONSTANT], sound=True
        )
        made = case(path)
        result, frames = made.annotated()
        assert result.sound == "copied unchanged"
        assert_in_step(frames, made)
        with open_media(path) as reader:
            first = float(next(pts for _, pts in reader.every_frame()) * reader.time_base)
        assert first == pytest.approx(0.2, abs=0.001)
        where = {data: time for time, data in sound_packets(path)}
        copied = sound_packets(made.folder / "annotated.mp4")
        assert len(copied) >= 4
        for time, data in copied:
            assert time == pytest.approx(where[data] - first, abs=0.002)

    def test_that_does_not_fit_is_left_out_and_said_so(self, tmp_path: Path) -> None:
        path = tmp_path / "clip.mkv"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"crf": "12"}
            voice = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            for number in CONSTANT:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
            container.mux(stream.encode())
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            container.mux(voice.encode(wave))
            container.mux(voice.encode())
        made = case(path)
        result, frames = made.annotated()
        assert result.sound == "left out (pcm_s16le)"
        assert_in_step(frames, made)
        with av.open(str(made.folder / "annotated.mp4")) as container:
            assert not container.streams.audio
            assert "left out (pcm_s16le)" in container.metadata["comment"]

    def test_refused_by_the_container_is_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from detector.annotated_video import audio

        def refuse(*_: Any) -> None:
            raise audio.SoundRefused

        monkeypatch.setattr(audio.Sound, "until", refuse)
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        real = audio.Sound.__init__

        def unrefused(self: Any, container: Any, wanted: bool) -> None:
            real(self, container, wanted)
            if not wanted:
                monkeypatch.setattr(audio.Sound, "until", lambda *_: None)

        monkeypatch.setattr(audio.Sound, "__init__", unrefused)
        result, frames = made.annotated()
        assert result.sound == "left out (aac)" and len(frames) == 30


class TestRefusals:
    def test_another_file_than_the_exhibit(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        other = write_clip(tmp_path / "other.mp4", map(picture, CONSTANT[:6]))
        out = tmp_path / "out.mp4"
        out.write_bytes(b"earlier")
        before = sorted(tmp_path.iterdir())
        with pytest.raises(MediaError, match="not the exhibit") as refused:
            annotate(other, made.analysis, out, {})
        assert made.analysis.media.sha256[:16] in str(refused.value)
        assert out.read_bytes() == b"earlier" and sorted(tmp_path.iterdir()) == before

    def test_one_byte_more(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        made.path.write_bytes(made.path.read_bytes() + b"\0")
        with pytest.raises(MediaError, match="not the exhibit"):
            annotate(made.path, made.analysis, tmp_path / "out.mp4", {})

    def test_the_exhibit_is_never_overwritten(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        before = made.path.read_bytes()
        (tmp_path / "link.mp4").hardlink_to(made.path)
        for out in (made.path, tmp_path / "link.mp4"):
            with pytest.raises(MediaError, match="exhibit's place"):
                annotate(made.path, made.analysis, out, {})
        assert made.path.read_bytes() == before

    def test_a_photo(self, tmp_path: Path) -> None:
        photo = build(tmp_path, kind=MediaKind.IMAGE, segments=0)
        with pytest.raises(MediaError, match="photo"):
            annotate(tmp_path / "photo.jpg", photo, tmp_path / "out.mp4", {})

    @pytest.mark.parametrize("kind", ["gone", "sound only"])
    def test_what_cannot_be_decoded(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "clip.mp4"
        analysis = build(tmp_path, segments=0)
        if kind == "sound only":
            write_sound(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            media: Media = analysis.media.model_copy(update={"sha256": digest})
            analysis = analysis.model_copy(update={"media": media})
        with pytest.raises(MediaError):
            annotate(path, analysis, tmp_path / "out.mp4", {})
        assert {each.name for each in tmp_path.iterdir()} <= {"clip.mp4"}

    def test_what_is_broken_off_leaves_nothing(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)))

        def stop(done: float) -> None:
            if done > 0.3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            annotate(made.path, made.analysis, tmp_path / "out.mp4", {}, stop)
        assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_command_draws_in_a_confined_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
    (tmp_path / "out").mkdir()
    (tmp_path / "analysis.json").write_text(made.analysis.to_json())
    real, here = video.hashed, os.getpid()

    def hashed(path: Path) -> tuple[int, str]:
        assert os.getpid() != here
        if capabilities().files:
            with pytest.raises(PermissionError):
                (tmp_path / "analysis.json").read_bytes()
        return real(path)

    monkeypatch.setattr(video, "hashed", hashed)
    monkeypatch.setattr(process, "native_threads", lambda: 1)  # forked, so that it has this function
    out = tmp_path / "out" / "annotated.mp4"
    assert main(["annotate", str(made.path), str(tmp_path / "analysis.json"), "--out", str(out)]) == 0
    assert len(read(out)) == 5 and list(out.parent.iterdir()) == [out]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Twenty times the frames: what grows is the list of scores and the index of the file."""

    def peak(count: int) -> int:
        """Most memory, in bytes, that a process of its own needs for a clip of ``count`` frames."""
        folder = tmp_path / str(count)
        folder.mkdir()
        pictures = [picture(number) for number in range(32)]
        made = case(write_clip(folder / "clip.mp4", (pictures[n % 32] for n in range(count)), sound=True))
        (folder / "analysis.json").write_text(made.analysis.to_json(), "utf-8")
        arguments = [
            "annotate",
            str(made.path),
            str(folder / "analysis.json"),
            "--out",
            str(folder / "o.mp4"),
        ]
        code = (
            "import resource, sys; from detector.cli.main import main; status = main(sys.argv[1:]); "
            "print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        status, kilobytes = done.stdout.splitlines()[-1].split()
        assert status == "0"
        return int(kilobytes) * 1024

    assert peak(3000) - peak(150) < 60_000_000


class TestCommand:
    def written(self, tmp_path: Path) -> Case:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT), sound=True))
        made.analysis = made.analysis.model_copy(update={"segments": flagged(made, 6, 18, (9,))})
        (tmp_path / "analysis.json").write_text(made.analysis.to_json(), "utf-8")
        return made

    def test_says_what_it_made(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = self.written(tmp_path)
        out = tmp_path / "annotated.mp4"
        assert main(["annotate", str(made.path), str(tmp_path / "analysis.json"), "--out", str(out)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{out}: 30 frames, 0 with a heatmap. Sound: copied unchanged.",
            "Heatmaps that were not kept or cannot be read: 1.",
        ]
        assert [frame.time for frame in read(out)] == made.times

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("other", "not the exhibit"),
            ("gone", "cannot be opened"),
            ("no analysis", "not an analysis"),
            ("outside", "outside its folder"),
            ("folder", "no such folder"),
            ("ending", "ends in .mp4"),
        ],
    )
    def test_refuses_in_one_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, said: str
    ) -> None:
        made = self.written(tmp_path)
        exhibit, out, analysis = made.path, tmp_path / "annotated.mp4", tmp_path / "analysis.json"
        if change == "other":
            exhibit.write_bytes(exhibit.read_bytes()[:-1])
        elif change == "gone":
            exhibit.unlink()
        elif change == "no analysis":
            analysis.write_text("{}")
        elif change == "outside":
            analysis.write_text(analysis.read_text().replace("overlays/A1-9-map", "../A1-9-map"))
        elif change == "folder":
            out = tmp_path / "no" / "annotated.mp4"
        else:
            out = tmp_path / "annotated.avi"
        assert main(["annotate", str(exhibit), str(analysis), "--out", str(out)]) == 2
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert captured.out == "" and line.startswith("reelproof: ") and said in line
        assert not out.exists()

    def test_is_documented(self) -> None:
        assert "detector annotate" in (ROOT / "docs" / "cli.md").read_text("utf-8")
        assert "detector annotate" in (ROOT / "docs" / "exports.md").read_text("utf-8")

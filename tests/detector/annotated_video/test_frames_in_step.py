"""The annotated video: nothing is drawn on the wrong frame, whatever the clip's clock or rotation."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from annotated_clips import (
    BOTTOM,
    BOX_WIDTH,
    CONSTANT,
    TOP,
    VARIABLE,
    assert_in_step,
    case,
    left_of,
    picture,
    with_scores,
)
from clips import box, number_of, packets, write_clip

from detector.annotated_video import Annotated
from detector.annotated_video.drawing import FaceState


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
        assert result == Annotated(30, 0, 0, 0, "none in the exhibit")
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
    def test_clip_with_a_late_start(self, tmp_path: Path, name: str) -> None:
        pts = [100 + tick for tick in VARIABLE]
        path = write_clip(
            tmp_path / name, map(picture, range(len(VARIABLE))), pts=pts, time_base=Fraction(1, 120)
        )
        made = case(path)
        assert made.times[0] == 0
        assert_in_step(made.annotated()[1], made)

    def test_broken_frame_does_not_shift_others(self, tmp_path: Path) -> None:
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

    def test_sampled_frame_uses_its_own_box(self, tmp_path: Path) -> None:
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
            columns = frame.columns(made.layout, FaceState.LOW)
            assert columns is not None and columns[0] == pytest.approx(left, abs=0.8)

    def test_lost_face_has_no_box(self, tmp_path: Path) -> None:
        """Sampled at frames 0 to 5 and 24 to 29 only: shown for 0.15 s after, then not until it is back."""
        path = write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT))
        made = case(path, lambda n: n <= 5 or n >= 24)
        shown = [frame.columns(made.layout, FaceState.LOW) is not None for frame in made.annotated()[1]]
        # 0.15 s after frame 5 (0.20 s) is 0.35 s; frame 8 is at 0.32 s, frame 9 at 0.36 s.
        assert [number for number, there in enumerate(shown) if not there] == list(range(9, 24))

    def test_boxes_are_not_interpolated_across_tracks(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)), lambda n: n % 6 == 0)
        changed = with_scores(
            made, lambda s: s.model_copy(update={"track": int(s.time > 0.3)})
        )  # frames 0, 6 and then 12 on
        frames = made.annotated(persons=changed)[1]
        for number in (7, 8, 9):  # the box stays where it was last seen
            columns = frames[number].columns(made.layout, FaceState.LOW)
            assert columns is not None and columns[0] == pytest.approx(left_of(6), abs=0.8)
        assert frames[10].columns(made.layout, FaceState.LOW) is None
        columns = frames[13].columns(made.layout, FaceState.LOW)
        assert columns is not None and columns[0] == pytest.approx(left_of(13), abs=0.8)

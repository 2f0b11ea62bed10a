"""The annotated video: heatmaps, what is said of faces and times, and where it stands."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from analyses import build, with_stability, write_png
from annotated_clips import (
    BOTTOM,
    CONSTANT,
    TOP,
    VARIABLE,
    Case,
    Frame,
    case,
    flagged,
    left_of,
    picture,
    with_scores,
)
from clips import HEIGHT, WIDTH, write_clip

from detector.annotated_video import drawing
from detector.annotated_video.drawing import FaceState, FrameLayout, arrange, build_lanes
from detector.schema.formatting import timecode
from detector.schema.frame_maps import INDEX, FrameMap, SegmentMaps

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

    def green(self, frame: Frame, layout: FrameLayout) -> list[int]:
        bottom = frame.source(layout)[HEIGHT - 5 : HEIGHT - 1].astype(int).mean(axis=0)
        return list(np.flatnonzero((bottom[:, 1] - bottom[:, 0] > 80) & (bottom[:, 1] - bottom[:, 2] > 80)))

    @pytest.mark.parametrize("pts", [None, VARIABLE])
    def test_heatmaps_appear_on_peak_frames_only(self, tmp_path: Path, pts: list[int] | None) -> None:
        made, maps = self.prepared(tmp_path, pts)
        result, frames = made.annotated(maps)
        assert (result.heatmaps, result.heatmaps_missing) == (3, 0)
        for number, frame in enumerate(frames):
            columns = self.green(frame, made.layout)
            if number in self.PEAKS:
                assert abs(columns[0] - (40 + 2 * number)) <= 1 and abs(columns[-1] - (47 + 2 * number)) <= 1
            else:
                assert not columns, number

    def test_animated_heatmaps_appear_on_every_frame_of_their_segment(self, tmp_path: Path) -> None:
        made, maps = self.prepared(tmp_path)
        (segment,) = made.analysis.segments
        moving = tmp_path / "moving"
        moving.mkdir()
        heatmaps = []
        for number in range(3, 16, 3):  # one of three frames is sampled; each patch lies further right
            write_png(moving / f"{number:03d}.png", np.full((320, 320, 4), (*GREEN, 255), np.uint8))
            left = 40.0 + 2 * number
            heatmaps.append(
                FrameMap(
                    time=number / 25,
                    pts=number,
                    probability=0.9,
                    heat=1.0,
                    part=(left, HEIGHT - 8, left + 8, HEIGHT),
                    frame=f"{number:03d}.jpg",
                    map=f"{number:03d}.png",
                )
            )
        listed = SegmentMaps(segment=segment.id, frames=tuple(heatmaps))
        (moving / INDEX).write_text(listed.model_dump_json())
        result, frames = made.annotated(maps, {segment.id: moving})
        assert (result.animated, result.heatmaps, result.heatmaps_missing) == (13, 3, 0)
        place = made.layout.inset
        assert place is not None
        for number, frame in enumerate(frames):
            enlarged = frame.image[place.y : place.bottom, place.x : place.right].astype(int)
            is_green = (enlarged[..., 1] - enlarged[..., 0] > 80).mean() > 0.2
            assert is_green == (number >= 3), number  # it stays for two seconds
            columns = self.green(frame, made.layout)
            if 3 <= number <= 15:
                nearest = 40 + 2 * 3 * round(number / 3)
                assert abs(columns[0] - nearest) <= 1 and abs(columns[-1] - nearest - 7) <= 1, number
            else:
                assert not columns, number

    def test_map_of_another_size_is_scaled_into_place(self, tmp_path: Path) -> None:
        made, maps = self.prepared(tmp_path)
        path = next(iter(maps.values()))
        layer = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        write_png(path, cv2.resize(layer, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_NEAREST))
        columns = self.green(made.annotated(maps)[1][3], made.layout)
        assert abs(columns[0] - 46) <= 1 and abs(columns[-1] - 53) <= 1

    def test_inset_is_shown_for_two_seconds(self, tmp_path: Path) -> None:
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
    def test_unreadable_heatmaps_are_counted(self, tmp_path: Path, how: str) -> None:
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
    def test_states_differ_in_more_than_colour(self, tmp_path: Path) -> None:
        """Dashed, dotted, plain and doubled lines: seen in black and white as well."""
        path = write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT))
        made = case(path, lambda n: True)
        unjudged = {"usable": False, "logit": None, "probability": None, "smoothed": None}
        shares = {}
        for state, change in {
            FaceState.LOW: {},
            FaceState.RAISED: {"smoothed": 0.6},
            FaceState.NOT_JUDGED: unjudged,
        }.items():
            persons = with_scores(made, lambda score, change=change: score.model_copy(update=change))
            frame = made.annotated(persons=persons)[1][10]
            columns = frame.columns(made.layout, state)
            assert columns is not None
            scale = made.layout.picture.width / WIDTH
            column = made.layout.picture.x + round(left_of(10) * scale)
            rows = slice(
                made.layout.picture.y + round((TOP + 3) * scale),
                made.layout.picture.y + round((BOTTOM - 3) * scale),
            )
            shares[state] = float((frame.image[rows, column].mean(axis=1) > 110).mean())
        assert shares[FaceState.LOW] == 1
        assert 0.5 < shares[FaceState.RAISED] < 0.9
        assert 0.15 < shares[FaceState.NOT_JUDGED] < 0.5

    def test_flagged_face_has_a_double_frame_only_within_its_segment(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT)))
        frames = made.annotated(segments=flagged(made, 6, 18))[1]
        for number, frame in enumerate(frames):
            state = FaceState.FLAGGED if 6 <= number <= 18 else FaceState.LOW
            columns = frame.columns(made.layout, state)
            assert columns is not None, number
            # The outer line of a flagged face, 7 px of the 640 further out.
            outside = 7 / 4 if state is FaceState.FLAGGED else 0
            expected = left_of(min(number, 27))  # the last frame sampled
            assert columns[0] == pytest.approx(expected - outside, abs=0.9), number

    def test_playhead_is_at_the_time_of_the_frame(self, tmp_path: Path) -> None:
        path = write_clip(
            tmp_path / "clip.mp4",
            map(picture, range(len(VARIABLE))),
            pts=VARIABLE,
            time_base=Fraction(1, 120),
        )
        made = case(path)
        strip = made.layout.strip
        frames = made.annotated()[1]
        assert len(frames) == len(VARIABLE)
        for frame in frames:
            row = frame.image[strip.y - 6, strip.x - 8 : strip.right + 8].astype(int).min(axis=1)
            middle = float(np.flatnonzero(row > 180).mean()) + strip.x - 8
            share = float(frame.time) / made.analysis.media.duration
            assert middle == pytest.approx(strip.x + share * (strip.width - 1), abs=1.5)

    def test_every_frame_states_that_it_is_not_the_exhibit(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:5])))
        frames = made.annotated()[1]
        header = made.layout.header
        assert len(frames) == 5
        for frame in frames:
            part = frame.image[header.y : header.bottom].astype(int)
            yellow = (part[..., 0] > 220) & (part[..., 1] > 180) & (part[..., 2] < 140)
            dark = part.max(axis=2) < 90
            assert yellow.mean() > 0.6 and dark.mean() > 0.04  # a bar with words in it

    def test_note_names_exhibit_and_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        note = " ".join(written)
        assert "DERIVED PICTURE, NOT THE EXHIBIT" in note
        assert made.analysis.media.sha256[:16] in note
        assert made.analysis.model.name in note and "clip.mp4" in note
        times = [text for text in written if re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}", text)]
        assert {"00:00:00.000", "00:00:00.040", "00:00:00.080"} <= set(times)
        assert {"frame 0   PTS 0", "frame 1   PTS 512", "frame 2   PTS 1024"} <= set(written)

    def test_file_metadata_states_it_too(self, tmp_path: Path) -> None:
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

    def test_faces_beyond_the_edge_stay_in_the_picture(self, tmp_path: Path) -> None:
        made = case(write_clip(tmp_path / "clip.mp4", map(picture, CONSTANT[:3])), lambda n: True)
        edge = with_scores(made, lambda s: s.model_copy(update={"box": (-30, -20, WIDTH + 40, HEIGHT + 30)}))
        plain = made.annotated(persons=())[1]
        drawn = made.annotated(persons=edge)[1]
        header = made.layout.header
        for frame, other in zip(plain, drawn, strict=True):
            assert (
                np.abs(frame.image[: header.bottom - 4].astype(int) - other.image[: header.bottom - 4]).max()
                < 60
            )


class TestLayout:
    @pytest.mark.parametrize(
        ("width", "height"),
        [(1920, 1080), (1080, 1920), (3840, 2160), (160, 96), (640, 480), (7, 5), (4000, 10)],
    )
    @pytest.mark.parametrize("persons", [0, 1, 7])
    @pytest.mark.parametrize("heatmaps", [False, True])
    def test_layout_parts_are_disjoint_and_inside(
        self, width: int, height: int, persons: int, heatmaps: bool
    ) -> None:
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

    def test_pixels_become_square(self) -> None:
        wide = arrange(720, 576, Fraction(64, 45), 1, False).picture
        assert wide.width / wide.height == pytest.approx(16 / 9, abs=0.01)
        tall = arrange(720, 576, Fraction(1, 2), 1, False).picture
        assert tall.width / tall.height == pytest.approx(720 / 1152, abs=0.01)

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, "00:00:00.000"), (59.9996, "00:01:00.000"), (3661.25, "01:01:01.250")]
    )
    def test_times_are_formatted_as_in_reports(self, seconds: float, text: str) -> None:
        from language.formatting import timecode as theirs

        assert timecode(seconds) == theirs(seconds) == text


def test_unstable_persons_are_not_labelled_as_flagged(tmp_path: Path) -> None:
    analysis = with_stability(build(tmp_path, persons=2, segments=2, kept=False), A=1.0, B=0.6)
    states = [face.state for lane in build_lanes(analysis) if (face := lane.at(20.0))]
    assert states == [FaceState.FLAGGED, FaceState.RAISED]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Ada \u2764\ufe0f.mp4", "Ada \u2764.mp4"),
        ("\u0d30\u0d3e\u0d1c\u0d28\u0d4d\u200d.mp4", "\u0d30\u0d3e\u0d1c\u0d28\u0d4d.mp4"),
        ("a\u034fb\u3164c\U000e0100\u180e", "abc"),
        ("\ufe0f", ""),
    ],
)
def test_characters_without_glyph_are_omitted(text: str, seen: str) -> None:
    written = [np.zeros((40, 400, 3), np.uint8) for _ in range(2)]
    for image, words in zip(written, (text, seen), strict=True):
        drawing.write(image, words, 4, 26, 18)
    assert np.array_equal(*written) and written[0].any() == bool(seen)
    assert drawing.text_width(text, 18) == drawing.text_width(seen, 18)

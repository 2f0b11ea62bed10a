"""Which moment of a reference an exhibit shows: cuts, speed, frame rates, mirroring, and nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import write_clip
from moving_scenes import RATE, SIZE, mapped, scene

from detector.comparison import locate, strips
from detector.comparison.compare import compare
from detector.comparison.similarity import NOWHERE, best_path
from detector.comparison.time_map import MappedStretch
from detector.schema.comparison import Comparison

LENGTH = 200  # frames of the reference: 8 s


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("time") / "reference.mp4"
    return write_clip(path, (scene(n) for n in range(LENGTH)), rate=RATE)


def exhibit(folder: Path, numbers: Sequence[int], rate: int | Fraction = RATE, **how: object) -> Path:
    change = how.get("change", lambda picture: picture)
    frames = (np.ascontiguousarray(change(scene(n))) for n in numbers)
    options = {"crf": str(how.get("crf", 23)), "preset": "veryfast"}
    return write_clip(
        folder / "exhibit.mp4", frames, rate=rate, time_base=1 / Fraction(rate), options=options
    )


def error_in_frames(found: Comparison, truth: Callable[[float], float]) -> float:
    """The largest error of the map, in frames of the reference, at the ends of its pieces."""
    errors = [
        abs(there - truth(here)) * RATE
        for piece in found.time_map
        for here, there in (
            (piece.exhibit.start, piece.reference.start),
            (piece.exhibit.end, piece.reference.end),
        )
    ]
    return max(errors)


def test_different_start(tmp_path: Path, reference: Path) -> None:
    comparison = mapped(exhibit(tmp_path, range(60, 160)), reference)
    assert comparison.related
    assert len(comparison.time_map) == 1
    assert error_in_frames(comparison, lambda t: t + 60 / RATE) <= 0.5
    assert comparison.time_map[0].uncertainty <= 2 / RATE
    assert [gap.reason for gap in comparison.gaps] == [
        "comes before what the exhibit shows",
        "comes after what the exhibit shows",
    ]


def test_coarse_path_ending_half_a_second_early(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where little moves it may be as far off as that; every frame's own place is tried all the same."""
    coarse_path = locate.coarse_path

    def too_slow(*given: Any) -> list[MappedStretch]:
        (stretch,) = coarse_path(*given)
        return [replace(stretch, reference_end=stretch.reference_end - 0.5)]

    monkeypatch.setattr(locate, "coarse_path", too_slow)
    comparison = mapped(exhibit(tmp_path, range(60, 160)), reference)
    assert error_in_frames(comparison, lambda t: t + 60 / RATE) <= 0.5
    assert comparison.time_map[0].uncertainty <= 2 / RATE


def test_removed_stretch(tmp_path: Path, reference: Path) -> None:
    comparison = mapped(exhibit(tmp_path, [*range(20, 80), *range(110, 180)]), reference)
    first, second = comparison.time_map
    assert first.exhibit.end == pytest.approx(59 / RATE, abs=1.1 / RATE)
    assert second.exhibit.start == pytest.approx(60 / RATE, abs=1.1 / RATE)
    assert error_in_frames(comparison, lambda t: t + (20 if t < 59.5 / RATE else 50) / RATE) <= 0.5
    between = [gap for gap in comparison.gaps if gap.reason == "is missing from the exhibit"]
    assert len(between) == 1
    assert between[0].start == pytest.approx(79 / RATE, abs=0.06)
    assert between[0].end == pytest.approx(110 / RATE, abs=0.06)


def test_different_frame_rate(tmp_path: Path, reference: Path) -> None:
    rate = 30
    numbers = [int(at * RATE / rate) for at in range(rate * 4)]
    comparison = mapped(exhibit(tmp_path, numbers, rate), reference)
    assert len(comparison.time_map) == 1
    assert error_in_frames(comparison, lambda t: t) <= 1


def test_long_reference_is_read_partly(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long one, frames no other refers to are left out at first; what is shown is read again."""
    monkeypatch.setattr(strips, "_EVERY_FRAME", 150)
    lengths, spans_read = [], []
    whole, again = locate.read_strip, locate.read_spans

    def read_strip(*given: Any) -> strips.Strip:
        strip = whole(*given)
        lengths.append(len(strip))
        return strip

    def read_spans(reader: Any, spans: Any, size: tuple[int, int]) -> strips.Strip:
        strip = again(reader, spans, size)
        spans_read.append((len(list(spans)), len(strip)))
        return strip

    monkeypatch.setattr(locate, "read_strip", read_strip)
    monkeypatch.setattr(locate, "read_spans", read_spans)
    comparison = mapped(exhibit(tmp_path, [*range(0, 45), *range(140, 200)]), reference)
    assert len(lengths) == 1 and lengths[0] < 150
    ((spans, read),) = spans_read
    assert spans == 2 and lengths[0] < read < LENGTH
    first, second = comparison.time_map
    assert first.exhibit.end == pytest.approx(44 / RATE, abs=1.1 / RATE)
    assert second.reference.start == pytest.approx(140 / RATE, abs=1.1 / RATE)
    later = 140 / RATE - 45 / RATE
    assert error_in_frames(comparison, lambda t: t if t < 44.5 / RATE else t + later) <= 0.5


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference of eight scenes and a ninth within the seventh; a key frame a second, none in the ninth."""
    path = tmp_path_factory.mktemp("scenes") / "scenes.mp4"
    options = {"crf": "23", "g": "25", "keyint_min": "25", "sc_threshold": "0"}
    return write_clip(path, (of_scenes(n) for n in range(400)), rate=RATE, options=options)


def of_scenes(number: int) -> np.ndarray:
    return scene(number, 9 if 302 <= number < 322 else number // 50)


def exhibit_of_scenes(folder: Path, numbers: Sequence[int]) -> Path:
    return write_clip(folder / "exhibit.mp4", map(of_scenes, numbers), rate=RATE)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of the reference, in turn; it counts as long."""
    monkeypatch.setattr(locate, "_LONG", 150)
    done: list[str] = []
    for name in ("read_key_frames", "read_spans", "read_strip"):
        original = getattr(locate, name)

        def noted(*given: Any, _name: str = name, _original: Any = original) -> Any:
            strip = _original(*given)
            done.append(f"{_name} {len(strip)}")
            return strip

        monkeypatch.setattr(locate, name, noted)
    return done


def test_key_frames_limit_the_part_to_read(tmp_path: Path, scenes: Path, read: list[str]) -> None:
    comparison = mapped(exhibit_of_scenes(tmp_path, [*range(110, 160), *range(355, 390)]), scenes)
    assert [name.split()[0] for name in read] == ["read_key_frames", "read_spans"]
    assert int(read[1].split()[1]) < 250  # of 400
    first, second = comparison.time_map
    assert first.exhibit.end == pytest.approx(49 / RATE, abs=1.1 / RATE)
    assert error_in_frames(comparison, lambda t: t + (110 if t < 49.5 / RATE else 305) / RATE) <= 0.5
    assert comparison.reference.duration == pytest.approx(16.0)
    assert comparison.gaps[-1].end == pytest.approx(16.0)


def test_full_search_when_key_frames_miss(tmp_path: Path, scenes: Path, read: list[str]) -> None:
    """The second part lies between two key frames."""
    comparison = mapped(exhibit_of_scenes(tmp_path, [*range(110, 160), *range(302, 322)]), scenes)
    assert [name.split()[0] for name in read] == ["read_key_frames", "read_spans", "read_strip"]
    assert read[2] == "read_strip 400"
    assert error_in_frames(comparison, lambda t: t + (110 if t < 49.5 / RATE else 252) / RATE) <= 0.5


def test_single_scene_is_read_completely(tmp_path: Path, reference: Path, read: list[str]) -> None:
    """Where all key frames look alike they tell nothing."""
    comparison = mapped(exhibit(tmp_path, range(60, 110)), reference)
    assert read[-1] == f"read_strip {LENGTH}"
    assert error_in_frames(comparison, lambda t: t + 60 / RATE) <= 0.5


def test_unrelated_long_reference(tmp_path: Path, scenes: Path, read: list[str]) -> None:
    unrelated = (scene(n, 40) for n in range(50))
    assert not mapped(write_clip(tmp_path / "exhibit.mp4", unrelated, rate=RATE), scenes).related
    assert [name.split()[0] for name in read] == ["read_key_frames", "read_strip"]


def test_long_reference_without_skippable_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every frame may be referred to: then some a second are kept, and what is shown is read again."""
    monkeypatch.setattr(strips, "_EVERY_FRAME", 150)
    options = {"crf": "20", "bf": "0"}
    reference = write_clip(
        tmp_path / "reference.mp4", (scene(n) for n in range(LENGTH)), rate=RATE, options=options
    )
    comparison = mapped(exhibit(tmp_path, range(60, 160)), reference)
    assert error_in_frames(comparison, lambda t: t + 60 / RATE) <= 0.5


@pytest.mark.parametrize(
    ("speed", "count"), [(Fraction(102, 100), LENGTH), (Fraction(24, 25), 90), (Fraction(5, 4), 90)]
)
def test_changed_speed(tmp_path: Path, reference: Path, speed: Fraction, count: int) -> None:
    """The same frames at a rate 2 % higher, lower as television is shown as film, and much higher."""
    comparison = mapped(exhibit(tmp_path, range(count), RATE * speed), reference)
    assert len(comparison.time_map) == 1
    assert comparison.time_map[0].speed == pytest.approx(float(speed), abs=0.002)
    assert comparison.time_map[0].uncertainty <= 2 / RATE
    assert error_in_frames(comparison, lambda t: float(speed) * t) <= 1
    assert not [gap for gap in comparison.gaps if gap.file == "exhibit" or not gap.start]
    assert comparison.regions == ()


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_half_and_double_speed(tmp_path: Path, reference: Path, speed: float) -> None:
    """Every other frame left out, or each shown twice."""
    comparison = mapped(exhibit(tmp_path, [int(at * speed) for at in range(round(120 / speed))]), reference)
    assert len(comparison.time_map) == 1
    assert comparison.time_map[0].speed == pytest.approx(speed, abs=0.01)
    assert error_in_frames(comparison, lambda t: speed * t) <= 1.5
    assert comparison.regions == ()


def test_quarter_speed_is_not_found(tmp_path: Path, reference: Path) -> None:
    """Its frames would not find their own moments."""
    comparison = mapped(exhibit(tmp_path, [at // 4 for at in range(200)]), reference)
    assert not comparison.related
    assert "more than twice or less than half the speed" in comparison.limits


def test_changing_speed_raises_the_uncertainty(tmp_path: Path, reference: Path) -> None:
    slowed = [*range(60), *(60 + at // 2 for at in range(50)), *range(85, 120)]
    comparison = mapped(exhibit(tmp_path, slowed), reference)
    truth = np.array(slowed) / RATE
    assert comparison.time_map
    for piece in comparison.time_map:
        here = np.arange(round(piece.exhibit.start * RATE), round(piece.exhibit.end * RATE) + 1)
        line = piece.reference.start + piece.speed * (here / RATE - piece.exhibit.start)
        assert float(np.median(np.abs(line - truth[here]))) <= piece.uncertainty


def test_mirrored_scaled_and_cropped(tmp_path: Path, reference: Path) -> None:
    def change(picture: np.ndarray) -> np.ndarray:
        return cv2.resize(picture[8:128, 14:226], None, fx=1.5, fy=1.5)[:, ::-1]

    comparison = mapped(exhibit(tmp_path, range(40, 140), change=change, crf=30), reference)
    transform = comparison.transform
    assert transform is not None
    assert transform.mirror
    assert transform.scale == pytest.approx(1.5, rel=0.01)
    assert transform.crop == pytest.approx((14, 8, 226, 128), abs=1.0)
    assert error_in_frames(comparison, lambda t: t + 40 / RATE) <= 0.5


def test_letterboxed_and_turned(tmp_path: Path, reference: Path) -> None:
    def change(picture: np.ndarray) -> np.ndarray:
        turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), -3.0, 1.0)  # clockwise
        turned = cv2.warpAffine(picture, turn, SIZE, borderMode=cv2.BORDER_REPLICATE)
        return cv2.copyMakeBorder(turned, 20, 20, 0, 0, cv2.BORDER_CONSTANT)

    comparison = mapped(exhibit(tmp_path, range(60), change=change), reference)
    assert comparison.transform is not None
    assert comparison.transform.rotation == pytest.approx(3.0, abs=0.3)
    assert comparison.transform.scale == pytest.approx(1.0, abs=0.01)
    assert not comparison.transform.mirror


def test_unrelated(tmp_path: Path, reference: Path) -> None:
    frames = (scene(n, seed=7) for n in range(60))
    other = write_clip(tmp_path / "other.mp4", frames, rate=RATE)
    comparison = compare(other, reference)
    assert not comparison.related
    assert comparison.time_map == comparison.persons == comparison.segments == comparison.regions == ()
    assert comparison.transform is None
    assert "unrelated" in comparison.statement


def test_painted_out_object(tmp_path: Path, reference: Path) -> None:
    """A thing that stands in the reference from second 2 to second 5 is hidden in the exhibit."""

    def frame(number: int) -> np.ndarray:
        picture = scene(number)
        if 50 <= number < 125:
            picture[90:120, 150:200] = picture[88:90, 150:200].mean(axis=(0, 1)).astype(np.uint8)
        return picture

    path = write_clip(tmp_path / "exhibit.mp4", map(frame, range(150)), rate=RATE)
    comparison = compare(path, reference)
    (region,) = comparison.regions
    assert region.start == pytest.approx(2.0, abs=0.3)
    assert region.end == pytest.approx(5.0, abs=0.3)
    assert region.box == pytest.approx((150, 90, 200, 120), abs=12)
    assert comparison.segments == ()


def test_same_file_has_no_differences(tmp_path: Path) -> None:
    path = exhibit(tmp_path, range(60))
    comparison = compare(path, path)
    assert comparison.regions == comparison.segments == comparison.gaps == ()


def test_path_jumps_where_necessary() -> None:
    similarities = np.full((20, 60), 0.1, np.float32)
    truth = [*range(5, 15), *range(40, 50)]
    for row, column in enumerate(truth):
        similarities[row, column] = 0.9
    assert best_path(similarities, None, None).tolist() == truth


def test_path_leaves_unrelated_frames() -> None:
    similarities = np.full((24, 30), 0.1, np.float32)
    for row in [*range(8), *range(16, 24)]:
        similarities[row, row] = 0.9
    path = best_path(similarities, None, None)
    assert (path[9:15] == NOWHERE).all()
    assert path[:8].tolist() == list(range(8))
    assert path[16:].tolist() == list(range(16, 24))

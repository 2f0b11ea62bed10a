"""Every frame finds its own moment: a shot out of an edited reference, and copies at other frame rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip

from detector.comparison.locate import locate
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Strip, read_strip
from detector.comparison.time_map import TimeMap
from detector.media.open import open_media

RATE = 25
SHOTS = (0, 60, 150, 240)  # where each begins, and where the reference ends
SIZE = (240, 136)
Take = Callable[..., Path]
_OPTIONS = {"crf": "23", "preset": "veryfast"}


def talking(number: int, shot: int) -> np.ndarray:
    """Somebody who sways a little and talks before a fixed background, one in each shot."""
    rng = np.random.default_rng(40 + shot)
    picture = cv2.resize(rng.integers(0, 255, (9, 15, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    skin = tuple(int(v) for v in rng.integers(90, 220, 3))
    phase = 0.9 * shot
    x = 120 + 30 * (shot % 2) + 5 * np.sin(number / 11 + phase) + 3 * np.sin(number / 29)
    y = 64 + 2 * np.cos(number / 17 + phase)

    def draw(dx: float, dy: float, axes: tuple[float, float], colour: tuple[int, ...]) -> None:
        middle = round(16 * (x + dx)), round(16 * (y + dy))
        size = round(16 * axes[0]), round(16 * axes[1])
        cv2.ellipse(picture, middle, size, 0, 0, 360, colour, -1, cv2.LINE_AA, 4)

    draw(0, 0, (26, 36), skin)
    for side in (-10, 10):
        draw(side, -10, (4, 3), (20, 20, 20))
    draw(0, 16, (9, 2.5 + 2.5 * np.sin(number / 2.3)), (60, 20, 20))
    return picture


@cache
def edited(number: int) -> np.ndarray:
    """A frame of the reference: three shots. Nobody changes it."""
    return talking(number, int(np.searchsorted(SHOTS, number, side="right")))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edited") / "reference.mp4"
    return write_clip(path, (edited(n) for n in range(SHOTS[-1])), rate=RATE, options=_OPTIONS)


def mapped(exhibit: Path, reference: Path) -> tuple[Strip, Strip, TimeMap]:
    """Both strips, and what the exhibit's frames show of the reference."""
    with open_media(exhibit) as here, open_media(reference) as there:
        seen = read_strip(here, lambda share: None)
        location = locate(seen, there, lambda share: None)
    assert location.times is not None
    return seen, location.strip, location.times


def farthest(exhibit: Path, reference: Path, truth: Callable[[float], float]) -> float:
    """How far the worst frame is from its own moment, in frames of the reference."""
    seen, known, times = mapped(exhibit, reference)
    assert (times.places != NOWHERE).all()
    wanted = np.array([truth(time) for time in seen.times])
    return float(np.abs(known.times[times.places] - wanted).max()) * RATE


def copied(folder: Path, numbers: Sequence[int], rate: Fraction | int = RATE) -> Path:
    """A copy of these frames of the reference, shown at ``rate``."""
    frames = (edited(n) for n in numbers)
    path = folder / "exhibit.mp4"
    return write_clip(path, frames, rate=rate, time_base=1 / Fraction(rate), options=_OPTIONS)


@pytest.mark.parametrize(("first", "end"), [(150, 240), (63, 147)])
def test_one_shot_of_an_edited_reference(tmp_path: Path, reference: Path, first: int, end: int) -> None:
    """Before it the reference shows another shot and the exhibit nothing, which is no motion."""
    exhibit = copied(tmp_path, range(first, end))
    assert farthest(exhibit, reference, lambda time: time + first / RATE) <= 1.5


def test_shots_in_another_order(tmp_path: Path, reference: Path) -> None:
    exhibit = copied(tmp_path, [*range(155, 235), *range(5, 55)])
    assert farthest(exhibit, reference, lambda t: t + (155 if t < 79.5 / RATE else -75) / RATE) <= 1.5


@pytest.mark.parametrize("every", [2, 12])
def test_lower_frame_rate(tmp_path: Path, reference: Path, every: int) -> None:
    """What moves is told by the same seconds of both, not by the same number of frames."""
    exhibit = copied(tmp_path, range(0, SHOTS[-1], every), Fraction(RATE, every))
    assert farthest(exhibit, reference, lambda time: time) <= 1.5


def test_variable_frame_rate(tmp_path: Path, reference: Path) -> None:
    rng = np.random.default_rng(1)
    kept = [n for n in range(SHOTS[-1]) if n == 0 or rng.random() < 0.6]
    exhibit = write_clip(
        tmp_path / "exhibit.mp4", (edited(n) for n in kept), pts=kept, rate=RATE, options=_OPTIONS
    )
    assert farthest(exhibit, reference, lambda time: time) <= 1.5


def test_two_shots_at_different_speeds(tmp_path: Path, reference: Path) -> None:
    """One runs twice as fast, the next one half as fast: frames are looked for beside no straight line."""
    shown = [*range(60, 148, 2), *(150 + at // 2 for at in range(100))]
    exhibit = copied(tmp_path, shown)
    _, known, times = mapped(exhibit, reference)
    numbers = known.times[times.places] * RATE
    assert (times.places != NOWHERE).mean() > 0.95
    assert float(np.median(np.abs(numbers - shown))) <= 1
    assert float((np.abs(numbers - shown)[times.places != NOWHERE] <= 3).mean()) > 0.9


def test_unrelated_still_pictures_do_not_match(tmp_path: Path, reference: Path) -> None:
    """Neither they nor moments of the reference move, which does not make them the same."""
    card = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    cv2.putText(card, "Part two", (30, 76), cv2.FONT_HERSHEY_SIMPLEX, 1, (230, 230, 230), 2, cv2.LINE_AA)
    frames = [*(edited(n) for n in range(60, 110)), *[card] * 60, *(edited(n) for n in range(110, 150))]
    exhibit = write_clip(tmp_path / "exhibit.mp4", frames, rate=RATE, options=_OPTIONS)
    _, _, times = mapped(exhibit, reference)
    assert (times.places[52:108] == NOWHERE).all()
    assert (times.places[[*range(48), *range(112, 150)]] != NOWHERE).all()


TAKE = 260  # frames of one take, which never comes back to where it was


@cache
def swaying(number: int) -> np.ndarray:
    """Somebody before a fixed background who moves as by chance. Nobody changes it."""
    rng = np.random.default_rng(5)
    picture = cv2.resize(rng.integers(0, 255, (9, 15, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    steps = np.convolve(rng.normal(size=(5, TAKE + 40)).ravel(), np.ones(12) / 12, "same").reshape(5, -1)
    x, y, tilt, mouth, lid = np.cumsum(steps, axis=1)[:, number] + steps[:, number]
    x, y = 120 + 14 * np.tanh(x / 6), 66 + 6 * np.tanh(y / 6)

    def draw(dx: float, dy: float, axes: tuple[float, float], colour: tuple[int, int, int]) -> None:
        middle = round(16 * (x + dx)), round(16 * (y + dy))
        size = round(16 * axes[0]), round(16 * axes[1])
        cv2.ellipse(picture, middle, size, 8 * np.tanh(tilt), 0, 360, colour, -1, cv2.LINE_AA, 4)

    draw(0, 0, (27, 37), (190, 150, 130))
    for side in (-10, 10):
        draw(side, -10, (4, 2.5 + np.tanh(lid)), (20, 20, 20))
    draw(0, 16, (9, 4 + 3 * np.tanh(mouth / 2)), (60, 20, 20))
    return picture


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Take:
    """A clip of these frames of the take, ``fake`` ones altered; encoded once for all tests."""
    folder = tmp_path_factory.mktemp("takes")

    def frame(number: int, fake: range) -> np.ndarray:
        picture = swaying(number)
        if number in fake:
            picture = picture.copy()
            middle = picture[30:105, 95:150]
            middle[:] = cv2.GaussianBlur(middle, (0, 0), 5) // 2 + 60
        return picture

    @cache
    def made(numbers: tuple[int, ...], fake: range) -> Path:
        frames = (frame(number, fake) for number in numbers)
        return write_clip(folder / f"{made.cache_info().misses}.mp4", frames, rate=RATE, options=_OPTIONS)

    return lambda numbers, fake=range(0): made(tuple(numbers), fake)


def beyond(times: TimeMap, shown: Sequence[int], known: Sequence[int]) -> tuple[int, int]:
    """How many frames are said to show the reference wrongly, and how many not to that do."""
    truth = {number: place for place, number in enumerate(known)}
    wrong = lost = 0
    for number, place in zip(shown, times.places, strict=True):
        own = truth.get(number)
        wrong += place != NOWHERE and (own is None or abs(place - own) > 2)
        lost += place == NOWHERE and own is not None
    return int(wrong), int(lost)


WHOLE = list(range(TAKE))


@pytest.mark.parametrize(
    "known",
    [WHOLE[:225], WHOLE[50:200], WHOLE[:90] + WHOLE[150:]],
    ids=["runs on a little", "begins earlier and runs on", "something inserted"],
)
def test_exhibit_with_more_of_a_take_than_the_reference(take: Take, known: list[int]) -> None:
    """It resembles the reference, as all of the take does, and shows nothing of it."""
    wrong, lost = beyond(mapped(take(WHOLE), take(known))[2], WHOLE, known)
    assert wrong <= 20 and lost <= 5  # of 35 to 110


@pytest.mark.parametrize("first", [0, 60])
def test_exhibit_with_mostly_more_of_a_take(take: Take, first: int) -> None:
    """How well frames agree that show it is not told by most frames, which only resemble it."""
    known = WHOLE[first : first + 80]
    times = mapped(take(WHOLE), take(known))[2]
    wrong, lost = beyond(times, WHOLE, known)
    assert len(times.pieces) == 1 and wrong <= 10 and lost <= 8  # of 180


@pytest.mark.parametrize("shown", [WHOLE[:180] + WHOLE[50:130], WHOLE[130:] + WHOLE[:130]])
def test_re_edited_take_matches_throughout(take: Take, shown: list[int]) -> None:
    times = mapped(take(shown), take(WHOLE))[2]
    assert len(times.pieces) == 2
    wrong, lost = beyond(times, shown, WHOLE)
    assert wrong <= 3 and lost <= 3


@pytest.mark.parametrize("fake", [range(90, 170), range(TAKE)])
def test_other_face_is_compared_at_its_own_moment(take: Take, fake: range) -> None:
    times = mapped(take(WHOLE, fake), take(WHOLE))[2]
    assert len(times.pieces) == 1 and np.abs(times.places - WHOLE).max() <= 3


def test_held_last_frame_matches(take: Take) -> None:
    shown = [*WHOLE[:150], *[149] * 8]
    times = mapped(take(shown), take(WHOLE[:150]))[2]
    assert beyond(times, shown, WHOLE[:150]) == (0, 0)

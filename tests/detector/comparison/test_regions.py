"""What differs apart from faces: one change of tones is no difference, a caption is one region."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from detector import demo_clip
from detector.comparison.affine_view import AffineView
from detector.comparison.region_differences import FoundRegion, compare_frame, find_regions
from detector.media.frame import Image

SAME = AffineView(np.array([[1.0, 0, 0], [0, 1.0, 0]]))


@pytest.fixture(scope="module")
def picture() -> Image:
    return demo_clip.portraits()[0]


def saved(picture: Image) -> Image:
    """As JPEG of middling quality gives it back."""
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert written
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def regions(exhibit: Image, reference: Image) -> list[FoundRegion]:
    grid = compare_frame(0.0, saved(exhibit), saved(reference), SAME, [])
    return find_regions([grid], (exhibit.shape[1], exhibit.shape[0]), 0.5)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: cv2.convertScaleAbs(one, alpha=1.1, beta=8),
        lambda one: cv2.convertScaleAbs(one, alpha=1.4, beta=20),
        lambda one: np.clip(one.astype(np.int16) - 60, 0, 255).astype(np.uint8),
        lambda one: (255 * (one / 255) ** 0.6).astype(np.uint8),
        lambda one: np.clip(one * np.array([1.3, 1.0, 0.8]), 0, 255).astype(np.uint8),
    ],
    ids=["brighter", "much brighter", "darker", "gamma", "warmer"],
)
@pytest.mark.parametrize("of_exhibit", [True, False])
def test_changed_tones_are_no_region(
    picture: Image, change: Callable[[Image], Image], of_exhibit: bool
) -> None:
    changed = change(picture)
    assert regions(*((changed, picture) if of_exhibit else (picture, changed))) == []


@pytest.mark.parametrize("level", [10, 120, 255])
@pytest.mark.parametrize("brighter", [1.0, 1.3])
def test_painted_or_removed_objects_are_regions(picture: Image, level: int, brighter: float) -> None:
    changed = cv2.convertScaleAbs(picture, alpha=brighter)
    cv2.rectangle(changed, (330, 380), (410, 450), (level, level, level), -1)
    for areas in (regions(changed, picture), regions(picture, changed)):
        assert len(areas) == 1
        x0, y0, x1, y1 = areas[0].box
        assert abs(x0 - 330) < 25 and abs(y0 - 380) < 25 and abs(x1 - 410) < 25 and abs(y1 - 450) < 25


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(("down", "across"), [(61, 0), (0, 77), (40, 52)])
def test_bars_beside_the_picture_are_no_region(picture: Image, level: int, down: int, across: int) -> None:
    """A letterbox shows nothing of the reference; its edges are not counted as if they did."""
    barred = cv2.copyMakeBorder(picture, down, down, across, across, cv2.BORDER_CONSTANT, value=(level,) * 3)
    view = AffineView(np.array([[1.0, 0, -across], [0, 1.0, -down]]))
    grid = compare_frame(0.0, saved(barred), saved(picture), view, [])
    assert find_regions([grid], (barred.shape[1], barred.shape[0]), 0.5) == []


def test_words_of_a_caption_form_one_region(picture: Image) -> None:
    height, width = picture.shape[:2]
    grids = []
    for number in range(24):
        captioned = picture.copy()
        # One text until the middle, another one after a pause of a quarter of a second.
        if not 11 <= number <= 12:
            words = "ON AIR  TODAY" if number < 12 else "AND  NOW THIS"
            cv2.putText(captioned, words, (20, height - 40), cv2.FONT_HERSHEY_DUPLEX, 1.7, (255, 255, 0), 4)
        # Another thing, elsewhere.
        cv2.rectangle(captioned, (20, 20), (80, 70), (0, 90, 200), -1)
        grids.append(compare_frame(number / 8, captioned, saved(picture), SAME, []))
    areas = sorted(find_regions(grids, (width, height), 0.5), key=lambda area: area.box[1])
    assert len(areas) == 2
    mark, caption = areas
    assert mark.box[2] < 120 and mark.box[3] < 110
    assert (caption.first, caption.last) == (0, 23)
    assert caption.box[0] < 60 and caption.box[2] > width / 2


def test_regions_far_apart_in_time_are_two(picture: Image) -> None:
    height, width = picture.shape[:2]
    grids = []
    for number in range(40):
        changed = picture.copy()
        if number < 10 or number >= 30:
            cv2.rectangle(changed, (20, height - 90), (140, height - 30), (0, 90, 200), -1)
        grids.append(compare_frame(number / 8, changed, picture, SAME, []))
    assert len(find_regions(grids, (width, height), 0.5)) == 2


def test_uniform_picture(picture: Image) -> None:
    plain = np.full_like(picture, 255)
    assert regions(plain, plain) == []


@pytest.mark.parametrize("where", ["top", "middle", "lower third", "bottom"])
@pytest.mark.parametrize(
    ("font", "share"),
    [
        (cv2.FONT_HERSHEY_SIMPLEX, 0.08),
        (cv2.FONT_HERSHEY_COMPLEX, 0.125),
        (cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 0.2),
    ],
    ids=["plain", "serif", "script"],
)
@pytest.mark.parametrize("ground", ["bar", "dark", "box", "none"])
def test_caption_is_one_region_anywhere(
    picture: Image, where: str, font: int, share: float, ground: str
) -> None:
    """An opaque bar, a darkened one, a box that ends before its text does, and letters alone."""
    height, width = picture.shape[:2]
    bar = round(share * height)
    places = {"top": 0, "middle": (height - bar) // 2, "lower third": round(0.72 * height) - bar // 2}
    top = places.get(where, height - bar)
    captioned, letters = picture.copy(), (20, 20, 20) if ground == "box" else (255, 255, 255)
    if ground == "bar":
        captioned[top : top + bar] = (20, 20, 60)
    elif ground == "dark":
        captioned[top : top + bar] //= 2
    elif ground == "box":
        captioned[top : top + bar, width // 10 : width * 6 // 10] = 230
    start = width // 8, top + bar - bar // 3
    cv2.putText(captioned, "BREAKING NEWS", start, font, bar / 45, letters, 2, cv2.LINE_AA)
    (region,) = regions(captioned, picture)
    x0, y0, x1, y1 = region.box
    assert y0 > top - 30 and y1 < top + bar + 30
    assert x1 - x0 > 0.3 * width


def test_adjacent_regions_that_form_no_line_stay_separate(picture: Image) -> None:
    changed = picture.copy()
    width = picture.shape[1]
    for left in (10, width - 70):
        cv2.rectangle(changed, (left, 20), (left + 60, 70), (0, 90, 200), -1)
    assert len(regions(changed, picture)) == 2

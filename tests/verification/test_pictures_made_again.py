"""Pictures of an analysis against those of the same analysis made again."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from analyses import build
from unconfined import Unconfined
from voices import voice

from detector.schema.analysis import (
    Analysis,
    CalmFrame,
    CloseUp,
    MapMethod,
    MapNetwork,
    PeakMap,
    StripFace,
)
from verification import repeated_pictures
from verification.checks import CheckResults, Folder
from verification.repeated_pictures import compare_pictures

# A face of 60 px in a frame of 1920 px, of which half are stored
BOX = (900.0, 500.0, 960.0, 560.0)
CALM, STRIP, FURTHER = "overlays/A1-calm-frame.png", "overlays/A1-strip-1.png", "overlays/A1-1-grad-cam"
NEAR = "overlays/A1-1-near"


@pytest.fixture(autouse=True)
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare in this process; ``test_reanalysis.py`` has a confined one."""
    monkeypatch.setattr(repeated_pictures, "Sandbox", Unconfined)


@pytest.fixture
def recorded(tmp_path: Path) -> Analysis:
    """An analysis with one peak that has every kind of picture, and voices."""
    folder = tmp_path / "there"
    analysis = build(folder, persons=1, segments=1, peaks=1, picture=(960, 540))
    (segment,) = analysis.segments
    (peak,) = segment.peaks
    grey = np.full((540, 960, 4), 90, np.uint8)
    near = CloseUp(
        part=(880.0, 480.0, 980.0, 580.0),
        frame=f"{NEAR}-frame.png",
        overlay=f"{NEAR}.png",
        map=f"{NEAR}-map.png",
    )
    further = (f"{FURTHER}.png", f"{FURTHER}-map.png")
    for path in (CALM, STRIP, *further, near.frame, near.overlay, near.map):
        cv2.imwrite(str(folder / path), grey)
    maps = [
        PeakMap(method=method, networks=(MapNetwork.SCAN,), overlay=overlay, map=map_path, heat=1.0)
        for method, overlay, map_path in (
            (MapMethod.HIDDEN_PARTS, peak.overlay, peak.map),
            (MapMethod.GRAD_CAM, *further),
        )
    ]
    peak = peak.model_copy(update={"box": BOX, "close_up": near, "maps": tuple(maps)})
    calm = CalmFrame(time=1.0, pts=1, probability=0.02, box=BOX, frame=CALM)
    strip = (StripFace(time=1.0, pts=1, probability=0.02, picture=STRIP),)
    shown = segment.model_copy(update={"peaks": (peak,), "calm": calm, "strip": strip})
    return analysis.model_copy(update={"segments": (shown,), "voice": voice(folder)})


def results(
    recorded: Analysis, tmp_path: Path, made: Analysis | None = None, by_rank: bool = False
) -> tuple[int, CheckResults]:
    """The number of compared pictures, and what is said of them, where what was recorded comes out again."""
    there, here = tmp_path / "there", tmp_path / "here"
    checked = CheckResults()
    return compare_pictures(recorded, made or recorded, Folder(there), here, checked, by_rank), checked


def all_pictures(analysis: Analysis) -> list[str]:
    assert analysis.voice is not None
    return [*(path for segment in analysis.segments for path in segment.pictures), *analysis.voice.pictures]


def test_every_picture_is_compared(recorded: Analysis, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    shutil.copytree(there, here)
    names = all_pictures(recorded)
    assert len(names) == 13
    assert results(recorded, tmp_path)[0] == len(names)
    for name in names:
        image = cv2.imread(str(there / name), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(there / name), 255 - image // 2)
    _, checked = results(recorded, tmp_path)
    assert sorted(problem.file for problem in checked.problems) == sorted(names)


@pytest.mark.parametrize("name", ["overlays/A1-1-map.png", f"{FURTHER}.png", CALM])
def test_another_place_of_a_small_face_is_noticed(recorded: Analysis, tmp_path: Path, name: str) -> None:
    """Which changes too little of the whole picture."""
    shutil.copytree(tmp_path / "there", tmp_path / "here")
    image = cv2.imread(str(tmp_path / "there" / name), cv2.IMREAD_UNCHANGED)
    image[255:270, 455:470] = 255 - image[255:270, 455:470] // 2  # a quarter of the face
    cv2.imwrite(str(tmp_path / "there" / name), image)
    _, checked = results(recorded, tmp_path)
    (problem,) = checked.problems
    assert problem.file == name and "its face shows something else" in problem.why


def test_rounding_is_tolerated(recorded: Analysis, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(there, tmp_path / "here")
    for name in all_pictures(recorded):
        image = cv2.imread(str(there / name), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(there / name), np.clip(image, 0, 254) + 1)
    assert results(recorded, tmp_path)[1].problems == []


def test_pictures_that_were_not_made_again_are_named(recorded: Analysis, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "there", tmp_path / "here")
    (segment,) = recorded.segments
    bare = segment.model_copy(
        update={
            "calm": None,
            "strip": (),
            "peaks": tuple(
                peak.model_copy(update={"maps": peak.maps[:1], "close_up": None}) for peak in segment.peaks
            ),
        }
    )
    made = recorded.model_copy(update={"segments": (bare,), "voice": None})
    count, checked = results(recorded, tmp_path, made)
    assert count == 3 and checked.problems == []
    (note,) = checked.notes
    assert all(name in note for name in (CALM, STRIP, f"{FURTHER}.png", f"{NEAR}.png"))


def test_heatmaps_in_another_number_format_are_compared_by_the_order_of_their_heat(
    recorded: Analysis, tmp_path: Path
) -> None:
    """Grad-CAM, and what shows a heatmap over a face, is left out."""
    there, here = tmp_path / "there", tmp_path / "here"
    (segment,) = recorded.segments
    (peak,) = segment.peaks
    assert peak.map is not None
    heat = np.random.default_rng(1).integers(0, 200, (12, 12), dtype=np.uint8)
    heatmap = np.zeros((540, 960, 4), np.uint8)
    heatmap[239:291, 439:491, 3] = cv2.resize(heat, (52, 52), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(there / peak.map), heatmap)
    shutil.copytree(there, here)
    left_out = {path for path in segment.pictures if path.startswith((FURTHER, f"{NEAR}.", f"{NEAR}-map"))}
    left_out.add(peak.overlay or "")
    for name in left_out:
        cv2.imwrite(str(here / name), np.full((540, 960, 4), 10, np.uint8))
    brighter = heatmap.copy()
    brighter[..., 3] = np.where(heatmap[..., 3] > 0, heatmap[..., 3] // 2 + 100, 0)
    cv2.imwrite(str(here / peak.map), brighter)
    count, checked = results(recorded, tmp_path, by_rank=True)
    assert checked.problems == [] and count == 13 - len(left_out)
    assert results(recorded, tmp_path)[1].problems  # as pictures they differ
    cv2.imwrite(str(here / peak.map), heatmap[:, ::-1])
    (problem,) = results(recorded, tmp_path, by_rank=True)[1].problems
    assert problem.file == peak.map and "another order: rank correlation" in problem.why

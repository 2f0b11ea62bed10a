"""Calibration of segments and exhibits: which means are taken, and fits that do not see their own group."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from analyses import build

from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER, load_card
from detector.schema.analysis import Analysis
from training.evaluation import calibrate
from training.evaluation.calibrate import WINDOW, Levels, exhibit_levels, strongest_level, window_levels
from training.evaluation.material import Clip


def made(tmp_path: Path, segments: int, persons: int = 1) -> Analysis:
    return build(tmp_path, persons=persons, segments=segments, kept=False, duration=40.0)


def clip(analysis: Analysis, fake: bool, truth: tuple[tuple[float, float], ...] = (), **more: object) -> Clip:
    return Clip("a.mp4", fake, "Deepfakes" if fake else "none", truth, analysis, **more)  # type: ignore[arg-type]


def logits(analysis: Analysis, start: float, end: float) -> list[float]:
    scores = analysis.persons[0].scores
    return [s.logit for s in scores if s.logit is not None and start <= s.time <= end]


def test_an_exhibits_level_is_that_of_its_strongest_segment(tmp_path: Path) -> None:
    analysis = made(tmp_path, 2)
    means = [np.mean(logits(analysis, s.start, s.end)) for s in analysis.segments]
    assert strongest_level(analysis) == pytest.approx(max(means))
    assert max(means) > np.mean(logits(analysis, 0, 40)) + 1, "the whole would say something else"


def test_without_a_segment_it_is_that_of_the_whole(tmp_path: Path) -> None:
    analysis = made(tmp_path, 0)
    assert strongest_level(analysis) == pytest.approx(np.mean(logits(analysis, 0, 40)))


def test_exhibits_are_whole_clips(tmp_path: Path) -> None:
    """Those manipulated in part say nothing of how sure a whole one is."""
    real, fake = made(tmp_path, 0), made(tmp_path, 1)
    clips = [clip(real, False, group="x"), clip(fake, True, group="y"), clip(fake, True, ((1.0, 2.0),))]
    levels = exhibit_levels(clips)
    assert levels.labels == [0, 1] and levels.groups == ["x", "y"]
    assert levels.means[1] > levels.means[0]


def test_windows_of_a_spliced_clip(tmp_path: Path) -> None:
    """Inside the truth 1, outside 0; a window over its edge counts as neither."""
    analysis = made(tmp_path, 0)
    whole = window_levels([clip(analysis, True)])
    spliced = window_levels([clip(analysis, True, ((4.0, 9.0),))])
    assert set(whole.labels) == {1} and set(window_levels([clip(analysis, False)]).labels) == {0}
    assert sum(spliced.labels) == 2, "4 to 6 and 6 to 8 lie inside; 8 to 10 is left out"
    assert len(spliced.labels) == len(whole.labels) - 1
    assert whole.means[3] == pytest.approx(np.mean(logits(analysis, 3 * WINDOW, 4 * WINDOW)))


def test_of_two_people_the_left_one_is_untouched(tmp_path: Path) -> None:
    analysis = made(tmp_path, 0)
    left = window_levels([clip(analysis, True, ((0.0, 40.0),), split_x=900.0)])
    right = window_levels([clip(analysis, True, ((0.0, 40.0),), split_x=100.0)])
    assert set(left.labels) == {0} and set(right.labels) == {1}


def test_a_group_is_judged_by_a_fit_that_has_not_seen_it() -> None:
    """One pair's labels stand on their heads: fitted with it or without, the others say the same."""
    means = [-2.0, -1.5, 1.5, 2.0] * 5
    labels = [0, 0, 1, 1] * 5
    groups = [f"g{i // 4}" for i in range(20)]
    odd = Levels([*means, 2.0, -2.0], [*labels, 0, 1], [*groups, "odd", "odd"])
    high, low = odd.left_out()[-2:]
    fitted = Levels(means, labels, groups).fit()
    assert high == pytest.approx(1 / (1 + np.exp(-(fitted.scale * 2.0 + fitted.offset))), abs=1e-3)
    assert high > 0.8 and low < 0.2


@pytest.mark.parametrize(("shift", "kept"), [(0.0, False), (6.0, True)])
def test_the_card_gets_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift: float, kept: bool
) -> None:
    """Where means are right as they are nothing is kept; where all are too high, a fit is."""
    for suffix in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{suffix}", tmp_path)
    labels = [i % 2 for i in range(12)]
    groups = [f"g{i // 2}" for i in range(12)]
    means = [shift + 3.0 * (2 * label - 1) for label in labels]
    levels = Levels(means, labels, groups)
    monkeypatch.setattr(calibrate, "listed_clips", lambda folder: [])
    monkeypatch.setattr(calibrate, "analyse_clips", lambda listed, *rest: listed)
    monkeypatch.setattr(calibrate, "window_levels", lambda clips: levels)
    monkeypatch.setattr(calibrate, "exhibit_levels", lambda clips: levels)
    figures = calibrate.calibrate(tmp_path / f"{DEFAULT_MODEL}.json", tmp_path, tmp_path / "out")
    card, _ = load_card(tmp_path / f"{DEFAULT_MODEL}.json")
    expected = levels.fit() if kept else None
    assert card.segment == expected and card.exhibit == expected
    assert figures["segment, fitted calibration kept"] == float(kept)
    assert (tmp_path / f"{DEFAULT_MODEL}.md").is_file()

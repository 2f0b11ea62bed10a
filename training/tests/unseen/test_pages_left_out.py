"""Whole pages are left out, and figures hold on them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from detector.models.loaded import load_model
from detector.scoring.fusion import Fusion
from training.unseen.families import REAL, TALKING
from training.unseen.features import FeatureSet
from training.unseen.page_scores import SILENT, measured, page_scores, synthesis_levels, synthesised_of_folds
from training.unseen.pages import FOLDS, ClipScore, figures, fold_of_pages, footage_of, intervals
from training.unseen.samples import Sample

TOOL = Path("../shared/tools/pages.py")
WIDTH = 8


def _samples() -> list[Sample]:
    """Twenty pages of three unmanipulated and three manipulated clips, of one family a page."""
    return [
        Sample(f"native/{label}{page}-{n}", 0, REAL if label == "r" else f"family {page}", TALKING,
               f"{label}{page}-{n}", "train" if n else "develop", "native", f"page {page}", "plain")
        for page in range(20)
        for label in "rf"
        for n in range(3)
    ]  # fmt: skip


def _features(samples: list[Sample], seed: int) -> FeatureSet:
    features = np.random.default_rng(seed).normal(size=(len(samples), WIDTH)).astype(np.float32)
    features[[sample.fake for sample in samples], 0] += 2.5
    return FeatureSet(samples, features)


def test_pages_with_a_common_group_or_family_share_a_fold() -> None:
    samples = _samples()
    folds = fold_of_pages(samples)
    assert set(folds.values()) == set(range(FOLDS)) and len(folds) == 20
    joined = [
        *samples,
        Sample("x", 0, "family 3", TALKING, "x", "train", "native", "page 4", "plain"),
        Sample("y", 0, REAL, REAL, samples[0].group, "train", "native", "page 9", "plain"),
    ]
    folds = fold_of_pages(joined)
    assert folds["page 3"] == folds["page 4"] and folds["page 0"] == folds["page 9"]


def test_scores_are_by_heads_that_learnt_nothing_from_the_page() -> None:
    samples = _samples()
    native = [_features(samples, seed) for seed in (1, 2)]
    # Of its own page alone every sample is mislabelled: a head that had seen it would follow.
    folds = fold_of_pages(samples)
    mine = np.array([folds[sample.origin] == 0 for sample in samples])
    for of_window in native:
        of_window.features[mine, 1] += np.where([s.fake for s in samples], -9.0, 9.0)[mine]
    clips = [FeatureSet([samples[4]], of_window.features[4:5]) for of_window in native]
    scores = synthesised_of_folds(native, clips)
    fake = np.array([sample.fake for sample in samples])
    assert scores[mine & fake].mean() > scores[mine & ~fake].mean() - 12
    assert scores[~mine & fake].mean() > scores[~mine & ~fake].mean()


def _clips() -> list[ClipScore]:
    rng = np.random.default_rng(7)
    return [
        ClipScore(f"{page}-{fake}-{n}", f"page {page}", fake, float(rng.normal() + fake * 1.2))
        for page in range(15)
        for fake in (False, True)
        for n in range(int(rng.integers(1, 9)))
    ]


def test_figures_of_a_perfect_score() -> None:
    clips = [ClipScore(f"{n}", f"{n // 4}", n % 2 == 1, float(n % 2)) for n in range(40)]
    assert figures(clips).values == (1.0, 1.0, 1.0, 1.0)
    assert all(low == high == 1.0 for low, high in intervals(clips))


def test_figures_are_defined_as_those_of_the_research_data() -> None:
    if not TOOL.is_file():
        pytest.skip("the research folder is not here")
    spec = importlib.util.spec_from_file_location("research_pages", TOOL)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    clips = _clips()
    rows = [{"score": clip.score, "fake": clip.fake, "draw": clip.page} for clip in clips]
    assert figures(clips).values == pytest.approx(tool.figures(rows))
    for (low, high), value in zip(intervals(clips), figures(clips).values, strict=True):
        assert low <= value <= high


def test_what_ships_is_measured_by_footage_and_kind() -> None:
    card = load_model().card.second_look
    assert card is not None
    samples, formula = _samples(), Fusion.of(card)
    synthesised = np.array([60.0 if sample.fake else -60.0 for sample in samples])
    altered = np.tile([-9.0, -9.0], (len(samples), 1))
    notes = {s.file: "webcam" if s.file.endswith("0") else "feature film" for s in samples}
    scores = page_scores(samples, synthesised, altered, formula, {"page 1"})
    assert (scores.logits["altered"][[s.origin == "page 1" for s in samples]] == SILENT).all()
    found = measured(scores, notes, 0.65)
    assert found["fused, AUC"] == found["synthesised, AUC inside pages"] == 1.0
    assert found["unmanipulated, flagged, film, television and stock"] == 0.0
    assert (
        found["manipulated, flagged, all"]
        == found["manipulated, found at 5 %, talking heads and avatars"]
        == 1
    )


def test_the_threshold_is_that_of_the_kind_that_scores_highest() -> None:
    rng = np.random.default_rng(3)
    samples = [
        Sample(f"r{n}", 0, REAL, REAL, "", "train", "native", f"page {n}", "plain") for n in range(400)
    ]
    film = np.array([n % 2 == 0 for n in range(400)])
    notes = {s.file: "feature film" if f else "webcam" for s, f in zip(samples, film, strict=True)}
    scores = rng.normal(size=400) + 2.0 * film
    levels = synthesis_levels(samples, scores, notes)
    assert (scores[film] > levels.limit).mean() <= 0.035 and levels.limit > 3.0
    assert (scores > levels.median).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("note", "kind"),
    [
        ("stock, woman in lake, dim", "film, television and stock"),
        ("webcam, signing", "sign language"),
        ("real (HDTF - GoHD driving video)", "driving and source clips"),
        ("codec clip Foreman CIF", "other"),
    ],
)
def test_kinds_of_footage_follow_from_notes(note: str, kind: str) -> None:
    assert footage_of(note) == kind

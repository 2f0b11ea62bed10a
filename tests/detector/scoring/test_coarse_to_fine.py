"""Which faces of a track are scored, and what the others get."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detector.media.frame import Image
from detector.schema.analysis import Parameters
from detector.scoring.coarse_to_fine import (
    CoarseToFine,
    InterpolationRule,
    NumberedCrop,
    interpolate_missing,
    skipped_faces,
)
from detector.scoring.scorer import Scorer

CALM = -1.0
SPARING = InterpolationRule(CALM, 4, 8.0)
LOW, HIGH = -3.0, 2.0


def crop_of(logit: float) -> Image:
    return np.full((1, 1, 3), logit, np.float64)


def scored(tracks: dict[int, Sequence[float]], batch: int, rate: float = 8.0) -> dict[int, list[float]]:
    """The logits by track, those never scored no numbers; scored in batches of so many, each one late."""
    coarse = CoarseToFine(SPARING)
    waiting: list[NumberedCrop] = []
    running: list[NumberedCrop] = []
    places: list[tuple[int, int]] = []
    scores = {track: [np.nan] * len(logits) for track, logits in tracks.items()}

    def score() -> None:
        nonlocal waiting, running
        done, running, waiting = running, waiting, []
        logits = np.array([face.crop[0, 0, 0] for face in done], np.float32)
        for face, logit in zip(done, logits.tolist(), strict=True):
            track, place = places[face.number]
            assert np.isnan(scores[track][place]), "scored twice"
            scores[track][place] = logit
        if done:
            waiting += coarse.scored([face.number for face in done], logits)

    for place in range(max(map(len, tracks.values()))):
        for track, logits in tracks.items():
            if place < len(logits):
                places.append((track, place))
                face = NumberedCrop(len(places) - 1, crop_of(logits[place]))
                waiting += coarse.offer(face, track, place / rate, place)
        if len(waiting) >= batch:
            score()
    waiting += coarse.flush()
    while waiting or running:
        score()
    return scores


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_every_fourth_face_of_a_calm_track_is_scored(batch: int) -> None:
    """The last one is, with nothing behind it to lie between."""
    scores = scored({0: [LOW] * 12}, batch)[0]
    assert [place for place, logit in enumerate(scores) if not np.isnan(logit)] == [0, 4, 8, 11]


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_all_faces_beside_a_face_that_is_not_calm_are_scored(batch: int) -> None:
    scores = scored({0: [LOW] * 8 + [HIGH] + [LOW] * 8}, batch)[0]
    assert [place for place, logit in enumerate(scores) if np.isnan(logit)] == [1, 2, 3, 5, 11, 13, 14, 15]


def test_every_face_is_scored_without_calm_stretches() -> None:
    logits = np.random.default_rng(3).uniform(CALM, HIGH, (3, 50))
    scores = scored({track: row.tolist() for track, row in enumerate(logits)}, 32)
    assert np.allclose(list(scores.values()), logits)


def test_selection_is_independent_of_batches() -> None:
    rng = np.random.default_rng(7)
    tracks = {track: rng.normal(-1.5, 1, int(rng.integers(1, 60))).tolist() for track in range(9)}
    answers = [scored(tracks, batch) for batch in (1, 2, 7, 32)]
    assert all(np.array_equal(answers[0][t], other[t], equal_nan=True) for other in answers for t in tracks)
    for track, logits in tracks.items():
        times = np.arange(len(logits)) / 8
        assert np.array_equal(
            np.isnan(answers[0][track]),
            skipped_faces(times, np.arange(len(times)), np.array(logits, np.float32), SPARING),
        )
    assert 60 < np.isnan(np.concatenate(list(answers[0].values()))).sum() < 180


def test_face_of_a_lost_track_stops_waiting() -> None:
    """Or a film of many short tracks would keep a crop of each."""
    coarse = CoarseToFine(SPARING)
    assert [face.number for face in coarse.offer(NumberedCrop(0, crop_of(LOW)), 0, 0.0, 0)] == [0]
    assert not list(coarse.offer(NumberedCrop(1, crop_of(LOW)), 0, 0.125, 1))
    assert [face.number for face in coarse.offer(NumberedCrop(2, crop_of(LOW)), 1, 2.0, 16)] == [2]
    assert [face.number for face in coarse.offer(NumberedCrop(3, crop_of(LOW)), 2, 2.25, 18)] == [1, 3]
    assert not list(coarse.flush())


def test_lost_track_starts_anew() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.3, 9.0, 9.1, 9.2])
    places = skipped_faces(times, np.round(times * 8).astype(np.intp), np.full(7, LOW), SPARING)
    assert np.flatnonzero(places).tolist() == [1, 2, 5]


@pytest.mark.parametrize(
    ("rate", "scored_ones"),
    [(25.0, [0, 4, 8, 11]), (9.0, [0, 4, 8, 11]), (6.0, [0, 4, 8, 11]), (5.0, [0, 3, 6, 9, 11])],
)
def test_low_rates_score_faces_half_a_second_apart(rate: float, scored_ones: list[int]) -> None:
    every = np.arange(60) / rate
    times = every[np.unique(np.floor(every * 8), return_index=True)[1]][:12]
    places = skipped_faces(times, np.arange(len(times)), np.full(len(times), LOW), SPARING)
    assert np.flatnonzero(~places).tolist() == scored_ones


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_very_low_rates_score_every_face(rate: float) -> None:
    times = np.arange(20) / rate
    assert not skipped_faces(times, np.arange(20), np.full(20, LOW), SPARING).any()


def test_face_in_a_held_picture_and_the_next_are_scored() -> None:
    times = np.array([0.0, 0.125, 0.25, 1.75, 1.875, 2.0, 2.125, 2.25])
    places = skipped_faces(times, np.arange(8), np.full(8, LOW), SPARING)
    assert np.flatnonzero(places).tolist() == [1, 4, 5, 6], "and so is the one in that picture"


def test_temporarily_unusable_face_is_skipped_like_others() -> None:
    """The frames between were sampled: the file has no few of them."""
    frames = np.array([0, 1, 2, 9, 10, 11])
    places = skipped_faces(frames / 8, frames, np.full(6, LOW), SPARING)
    assert np.flatnonzero(places).tolist() == [1, 2, 3]


def test_skipped_faces_are_interpolated_linearly() -> None:
    logits = np.array([-3.0, np.nan, -1.0, np.nan, np.nan, np.nan, -3.0, 4.0])
    assert interpolate_missing(logits).tolist() == [False, True, False, True, True, True, False, False]
    assert logits.tolist() == [-3.0, -2.0, -1.0, -1.5, -2.0, -2.5, -3.0, 4.0]


def test_ends_of_a_split_track_use_the_nearest_logit() -> None:
    logits = np.array([np.nan, -3.0, np.nan, -1.0, np.nan])
    interpolate_missing(logits)
    assert logits.tolist() == [-3.0, -3.0, -2.0, -1.0, -1.0]


@pytest.mark.parametrize(("rate", "apart"), [(30.0, 4), (8.0, 4), (4.0, 2), (2.0, None)])
def test_gaps_stay_below_half_a_second(scan_scorer: Scorer, rate: float, apart: int | None) -> None:
    sparing = InterpolationRule.of(scan_scorer, Parameters(sample_rate=rate))
    assert (None if sparing is None else sparing.apart) == apart

"""Which moments of a person the second network sees, and in how many of them the whole head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from second_looks import Says, moments_of, with_second_look

from detector.models.loaded import LoadedModel, load_model
from detector.schema.analysis import Parameters
from detector.schema.scores import sigmoid
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.fusion import Fusion
from detector.scoring.moments import KeptMoment
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker

_CALM, _LOUD = Says((-9.0,) * 4), Says((9.0, -9.0, 9.0, -9.0))
_DOUBT = 0.4


def _faces(stretch: slice = slice(0), slower: float = 1.0) -> NDArray[np.void]:
    """Five seconds of a face that the scan finds calm but for a ``stretch``."""
    rows = np.zeros(40, [("track", np.int32), ("time", float), ("logit", float)])
    rows["time"], rows["logit"] = np.arange(40) / 8 * slower, -6.0
    rows["logit"][stretch] = 6.0
    return rows


@pytest.fixture(scope="module")
def kept(astronaut: np.ndarray) -> list[KeptMoment]:
    """Ten moments of these five seconds."""
    return moments_of(astronaut, (9.0, 9.0))


@pytest.fixture(scope="module")
def calm(scan_scorer: Scorer, model: LoadedModel) -> PersonLooker:
    """Looks by a network to which nothing seems manipulated."""
    return PersonLooker(BothNetworks.of(scan_scorer, with_second_look(model, _CALM.eval())))


@pytest.fixture(scope="module")
def loud(scan_scorer: Scorer, model: LoadedModel) -> PersonLooker:
    """Looks by a network to which everything seems altered."""
    return PersonLooker(BothNetworks.of(scan_scorer, with_second_look(model, _LOUD.eval())))


def _look(
    looker: PersonLooker,
    kept: Sequence[KeptMoment],
    most: int = 8,
    doubt: float | None = _DOUBT,
    faces: NDArray[np.void] | None = None,
) -> PersonLook:
    look = looker.look([0], _faces() if faces is None else faces, list(kept), most, doubt)
    assert look is not None and np.isfinite(look.second_logits).all()
    assert [moment.time for moment in look.moments] == sorted(look.times)
    return look


def test_calm_person_needs_half_of_the_moments(
    calm: PersonLooker, loud: PersonLooker, kept: list[KeptMoment]
) -> None:
    assert Parameters().second_look == 8
    assert {most: len(_look(calm, kept, most).moments) for most in (6, 7, 8, 9)} == {6: 6, 7: 7, 8: 4, 9: 5}
    assert len(_look(calm, kept[:6]).moments) == 5, "few as they are"
    assert len(_look(calm, kept, doubt=None).moments) == 8
    assert len(_look(loud, kept).moments) == 8
    uneven = _look(calm, kept, faces=_faces(stretch=slice(18, 28)))
    assert len(uneven.moments) >= 8, "something stands out in the scan"


@pytest.mark.parametrize(("below", "moments"), [(0.29, 8), (0.31, 4)])
def test_calm_means_clearly_below_the_doubt_threshold(
    calm: PersonLooker, kept: list[KeptMoment], below: float, moments: int
) -> None:
    faces = _faces()
    scorer = FusedScorer(calm._networks, [_look(calm, kept)])
    logit = scorer.fuse(faces["track"], faces["time"], faces["logit"]).logit.mean()
    assert len(_look(calm, kept, doubt=sigmoid(logit + below)).moments) == moments


@pytest.mark.parametrize(("apart", "more"), [(0.59, False), (0.61, True)])
def test_more_moments_are_scored_around_outliers(
    calm: PersonLooker, kept: list[KeptMoment], apart: float, more: bool
) -> None:
    slower = apart / (float(np.ptp(_faces()["time"])) / 8)
    dense = [replace(moment, time=(moment.time + late) * slower) for moment in kept for late in (0.0, 0.25)]
    look = _look(calm, dense, faces=_faces(slice(18, 28), slower))
    assert (len(look.moments) > 8) is more


def test_moment_near_two_outliers_is_scored_once(calm: PersonLooker, kept: list[KeptMoment]) -> None:
    dense = [replace(moment, time=(moment.time + late) * 2) for moment in kept for late in (0.125, 0.375)]
    faces = _faces(slice(18, 22), slower=2.0)
    faces["logit"][29:33] = 6.0
    look = _look(calm, dense, faces=faces)
    assert len(look.moments) > 8
    assert len(set(look.times.tolist())) == len(look.moments)


def test_whole_heads_are_scored_in_every_other_moment(
    scan_scorer: Scorer, model: LoadedModel, kept: list[KeptMoment]
) -> None:
    seen = {}
    for alternate in (True, False):
        networks = BothNetworks.of(scan_scorer, with_second_look(model, _LOUD.eval()))
        look = _look(PersonLooker(networks, alternate), kept)
        second_look = FusedScorer(networks, [look]).second_look_of(0)
        assert second_look is not None
        assert all(moment.inner_altered > 8 for moment in second_look.moments)
        seen[alternate] = [moment.head_altered is not None for moment in second_look.moments]
    assert seen == {True: [True, False] * 4, False: [True] * 8}


def test_windows_are_read_in_every_moment_only_where_one_reaches_doubt() -> None:
    """Elsewhere they make no stretch, and reading them costs a fifth of an analysis."""
    shipped = load_model().card.second_look
    assert shipped is not None
    fusion = Fusion.of(shipped)
    second = SimpleNamespace(reads_windows=True)
    looker = PersonLooker(cast(BothNetworks, SimpleNamespace(fusion=fusion, second=second, still=False)))
    centre, spread = float(fusion.synthesised.centre[0]), float(fusion.synthesised.spread[0])

    def differ(*deviations: float, doubt: float | None = 0.4) -> bool:
        logits = np.full((2 * len(deviations), 4), np.nan)
        logits[::2, -1] = centre + spread * np.array(deviations)
        return looker._windows_differ(logits, doubt)

    assert differ(-1.5, 0.0) and not differ(-0.1, 0.0)
    assert not differ(-2.0, -0.8)
    assert differ(-2.0, -0.8, doubt=None)

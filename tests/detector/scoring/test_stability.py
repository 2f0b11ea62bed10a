"""Whether what was found of a person holds in other views, and what an analysis says where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from second_looks import Says, judged, moments_of, with_second_look
from torch import Tensor

from detector import analyze
from detector.faces.crop import HEAD, INNER
from detector.models.card import Contrast
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Parameters, Verdict
from detector.schema.model import Platt
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.moments import AS_IT_IS, OTHER_VIEWS, KeptMoment, MomentView
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker, StabilityCheck


def test_contradiction_leaves_the_verdict_open(talking: Path, model: LoadedModel) -> None:
    sure = Says((6.0, -3.0, 6.0, -3.0)).eval()
    agreeing, contradicted = (
        analyze(
            talking,
            model=with_second_look(model, sure, agreement=limit),
            parameters=Parameters(edge_window=0),
        )
        for limit in (None, 1.0)
    )
    assert agreeing.verdict is Verdict.MANIPULATED
    assert contradicted.verdict is Verdict.INCONCLUSIVE and "contradict" in contradicted.reason
    look = contradicted.persons[0].second_look
    assert look is not None and look.contradiction and look.stability == contradicted.stability == 0.5


class Reads(Says):
    """Says how bright the picture is; with ``unsteady``, less of the mirrored one."""

    def forward(self, crops: Tensor) -> Tensor:
        bright = torch.clamp(crops, -1, 1).mean(dim=(1, 2, 3))[:, None]
        out = 14.0 * bright.expand(-1, 4) + 0 * self.said.sum()
        if self.unsteady:
            half = crops.shape[-1] // 2
            out = out * (crops[..., :half].mean() > crops[..., half:].mean())
        return out


@pytest.mark.parametrize("unsteady", [False, True])
def test_outliers_are_raised_if_views_agree(
    astronaut: np.ndarray, scan_scorer: Scorer, model: LoadedModel, unsteady: bool
) -> None:
    loaded = with_second_look(model, Reads((0.0,) * 4, unsteady).eval())
    fused = loaded.card.second_look
    assert fused is not None
    fused = fused.model_copy(update={"contrast": Contrast(least=2.0, gain=1.5)})
    loaded = replace(loaded, card=loaded.card.model_copy(update={"second_look": fused}))
    networks = BothNetworks.of(scan_scorer, loaded)
    looker = PersonLooker(networks)
    rows = np.zeros(40, [("track", np.int32), ("time", float), ("logit", float)])
    rows["time"], rows["logit"] = np.arange(40) / 8, -6.0
    look = looker.look([0], rows, moments_of(astronaut, (2.0, 3.5)), 8)
    assert look is not None and len(look.raised) == 1
    assert (look.raised[0].start, look.raised[0].end) == pytest.approx((2.0, 3.5), abs=0.4)
    checked = looker.check_stability(look, 0.9999)
    assert checked.stability is not None
    if unsteady:
        assert checked.stability < 1 or not checked.raised
        return
    assert checked.stability == 1.0 and len(checked.raised) == 1
    scorer = FusedScorer(networks, [checked])
    at = [np.zeros(2, np.int32), np.array([2.75, 0.5]), np.full(2, -6.0)]
    fused_at = scorer.fuse(*at)
    inside, outside = fused_at.logit - networks.fusion.logit(
        np.column_stack([at[2], checked.second_logits_at(*at)])
    )
    assert inside >= 0.0 and outside == 0.0, "the other half may be the larger one"
    both = np.array(fused_at[1:]) - networks.fusion.halves(
        np.column_stack([at[2], checked.second_logits_at(*at)])
    )
    assert both[0, 0] > 0.02 and (both[0, 1], both[1, 1]) == (0.0, 0.0), "of the altered half alone"
    second_look = scorer.second_look_of(0)
    assert second_look is not None and second_look.contrasts[0].raised == checked.raised[0].amount


class OneInput:
    """A fusion whose logit is what the second network says of the inner face, *altered*."""

    within = 1.0
    altered_framings = (INNER,)

    def lead(self, inputs: np.ndarray) -> np.ndarray:
        return inputs[:, 1] - inputs[:, 2]

    def logit(self, inputs: np.ndarray) -> np.ndarray:
        return inputs[:, 1]

    def halves(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return inputs[:, 1], inputs[:, 2]

    def contradicts(self, inputs: np.ndarray) -> np.ndarray:
        return np.zeros(len(inputs), bool)


def checked_in_views(
    astronaut: np.ndarray,
    still: bool,
    as_it_is: float,
    others: list[float],
    sparing: bool = False,
) -> tuple[int, PersonLook]:
    """How many other views are looked at where they say ``others``, and what comes of it."""
    seen: dict[MomentView, float] = {AS_IT_IS: as_it_is, **dict(zip(OTHER_VIEWS, others, strict=False))}
    asked = 0

    def views(
        look: PersonLook, chosen: Sequence[int], framings: object, views: Sequence[MomentView]
    ) -> np.ndarray:
        nonlocal asked
        asked += sum(view is not AS_IT_IS for view in views)
        logits = np.zeros((len(views), len(chosen), 5))
        logits[:, :, 1] = np.array([seen[view] for view in views])[:, None]
        return logits

    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    second_logits = np.tile([as_it_is, -9.0, 0.0, 0.0], (2, 1))
    look = PersonLook.of([0], moments_of(astronaut, (9.0, 9.0))[:2], second_logits, rows)
    checked = StabilityCheck(OneInput(), views, still).check(look, 0.5, sparing)
    return asked, checked


@pytest.mark.parametrize(
    ("still", "as_it_is", "others", "asked", "stability"),
    [
        (False, -1.3, [], 0, None),  # clearly on one side
        (False, 1.6, [], 0, None),
        (False, -0.9, [-0.6, -0.8, 2.0, 2.0], 2, 1.0),  # the first views leave no doubt
        (False, 0.8, [0.6, 1.4, -2.0, -2.0], 2, 1.0),
        (False, -0.9, [-0.4, -0.8, 2.0, -0.7], 4, 0.8),  # one of them lies near
        (False, 0.8, [-0.6, 1.4, 2.0, -0.7], 4, 0.6),
        (False, 0.6, [1.0, 0.3, 0.7, -2.7], 4, 0.8),  # most of them say so, whatever their mean
        (True, 0.6, [1.0, 0.3, 0.7, -2.7], 4, 0.2),  # of a photograph their mean counts
        (True, -1.3, [-1.0, -0.9, 2.0, 2.0], 2, 1.0),
        (True, 0.9, [0.7, 0.8, -0.1, 0.6], 4, 0.8),  # nor is it flagged before all were looked at
    ],
)
def test_views_are_scored_until_the_result_is_clear(
    astronaut: np.ndarray,
    still: bool,
    as_it_is: float,
    others: list[float],
    asked: int,
    stability: float | None,
) -> None:
    looked, checked = checked_in_views(astronaut, still, as_it_is, others)
    assert (looked, checked.stability) == (asked, stability)
    used = [as_it_is, *others[: 2 if stability == 1.0 else 4]]
    assert checked.inputs[0, 1] == pytest.approx(np.mean(used))


@pytest.mark.parametrize(
    ("highest", "others", "looked", "stability"),
    [
        (-0.2, [], 0, None),  # no moment would open a segment
        (1.0, [-0.5, 0.5, -0.9, 0.1], 2, 1.0),
        (1.0, [-0.5, -1.5, -2.0, -1.1], 2, 0.4),  # by so much the views lie lower
    ],
)
def test_peaks_of_a_calm_person_are_checked_in_views(
    astronaut: np.ndarray,
    highest: float,
    others: list[float],
    looked: int,
    stability: float | None,
) -> None:
    """Nothing stands out enough to be raised, so a finding would rest on them alone."""
    asked: list[int] = []

    def views(
        look: PersonLook, chosen: Sequence[int], framings: object, views: Sequence[MomentView]
    ) -> np.ndarray:
        asked.extend(chosen)
        logits = np.zeros((len(views), len(chosen), 5))
        logits[:, :, 1] = highest + np.array([0.0, *others])[:, None]
        return logits

    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    second_logits = np.tile([-3.0, -9.0, 0.0, 0.0], (8, 1))
    second_logits[3:5, 0] = highest
    look = PersonLook.of([0], moments_of(astronaut, (9.0, 9.0))[:8], second_logits, rows)
    checked = StabilityCheck(OneInput(), views, still=False).check(look, 0.5)
    assert (len(asked), checked.stability) == (looked, stability)
    assert set(asked) <= {3, 4} and np.array_equal(checked.second_logits, second_logits)


@pytest.mark.parametrize(
    ("synthesised", "framings"), [(-2.0, (INNER,)), (-1.0, (INNER, HEAD))], ids=["far below", "near"]
)
def test_irrelevant_heads_are_skipped_in_views(
    astronaut: np.ndarray, synthesised: float, framings: tuple[int, ...]
) -> None:
    asked: set[tuple[int, ...]] = set()

    def views(
        look: PersonLook, chosen: Sequence[int], framings: Sequence[int], views: Sequence[MomentView]
    ) -> np.ndarray:
        asked.add(tuple(framings))
        return np.zeros((len(views), len(chosen), 5))

    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    second_logits = np.tile([0.0, synthesised, 0.0, 0.0], (2, 1))
    look = PersonLook.of([0], moments_of(astronaut, (9.0, 9.0))[:2], second_logits, rows)
    StabilityCheck(OneInput(), views, still=False).check(look, 0.5)
    assert asked == {framings}


@pytest.mark.parametrize("alternate", [True, False])
def test_every_other_head_represents_all_in_views(
    astronaut: np.ndarray, scan_scorer: Scorer, model: LoadedModel, alternate: bool
) -> None:
    """What a view changes in them on average it changes in all; of the inner faces each is looked at."""
    networks = BothNetworks.of(scan_scorer, with_second_look(model, Says((0.0,) * 4).eval()))
    asked: list[tuple[int, ...]] = []

    def second_logits(
        moments: Sequence[KeptMoment], view: MomentView, framings: Sequence[Sequence[int]]
    ) -> np.ndarray:
        out = np.full((len(moments), 4), np.nan)
        for row, own in zip(out, framings, strict=True):
            for part in own:
                row[2 * part : 2 * part + 2] = 3.0
        if view is not AS_IT_IS:
            asked.extend(map(tuple, framings))
        return out

    networks.second.of_moments = second_logits
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    look = PersonLook.of([0], moments_of(astronaut, (9.0, 9.0))[:4], np.ones((4, 4)), rows)
    seen = PersonLooker(networks, alternate)._in_views(
        look, range(4), (INNER, HEAD), (AS_IT_IS, OTHER_VIEWS[0])
    )
    assert seen[0, :, 1:].tolist() == [[1.0] * 4] * 4 and seen[1, :, 1:].tolist() == [[3.0] * 4] * 4
    both, inner = (INNER, HEAD), (INNER,)
    assert asked == ([both, inner] * 2 if alternate else [both] * 4)


def test_group_photographs_need_two_views_below_the_threshold(astronaut: np.ndarray) -> None:
    """However narrowly; but nobody is flagged before all views were looked at."""
    below, above = [-0.1, -0.3, 2.0, 2.0], [0.9, 0.8, 0.7, 0.6]
    for still_asked, sparing in ((4, False), (2, True)):
        asked, _ = checked_in_views(astronaut, True, -0.2, below, sparing)
        assert asked == still_asked
    asked, checked = checked_in_views(astronaut, True, 0.9, above, sparing=True)
    assert (asked, checked.stability) == (4, 1.0)


def test_disagreeing_views_make_the_verdict_inconclusive(photo: Path, model: LoadedModel) -> None:
    """The mirrored view says the opposite; where the threshold lies between both, nobody should decide."""
    seen = {}
    for offset in (1.0, 2.0, 3.0):
        network = Says((-2.0, -1.5, 0.5, -2.5), unsteady=True)
        analysis = judged(photo, model, network, Platt(scale=1.0, offset=offset))
        seen[offset] = analysis.stability, analysis.verdict
        if analysis.stability is not None and analysis.stability < 0.7:
            assert analysis.verdict is Verdict.INCONCLUSIVE
            assert "small changes" in analysis.reason
            break
    assert any(stability is not None and stability < 0.7 for stability, _ in seen.values()), seen
    steady = judged(photo, model, Says((-2.0, -1.5, 0.5, -2.5)), Platt(scale=1.0, offset=8.0))
    assert steady.stability in (None, 1.0)

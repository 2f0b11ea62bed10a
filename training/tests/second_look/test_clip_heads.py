"""What whole heads of footage say of synthesis: what it learns from, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from second_look_cases import assert_only_heads_changed, patch, state_of, tiny_network

from detector.networks.graphs import HEAD, SYNTHESISED, outputs_of
from training.second_look.examples.pairs import MotionPair
from training.second_look.examples.patches import Patch, RoleError
from training.second_look.fitting.patch_scores import logits
from training.second_look.linear_heads import clip_frames, fit_clip_head

TALKING = {"generator": "FLOAT", "family": "talking head"}


def clip(seed: int, frames: int, **changes: object) -> list[Patch]:
    fake = "generator" in changes
    return [
        patch(seed, fake=fake, frame=frame, file=f"{seed}-{fake}.mp4", **changes) for frame in range(frames)
    ]


PAIRS = [MotionPair(*clip(9, 2), seed) for seed in range(3)]


def test_clips_are_learnt_from_and_only_where_the_question_was_asked() -> None:
    """Nobody knows whether a swapped face counts as synthesised; stills and photographs are no footage."""
    swapped = [patch(1, fake=True, frame=frame) for frame in range(12)]
    still = patch(4, source="stills", file="4.jpg")
    chosen = clip_frames([*clip(2, 12), *clip(3, 5, **TALKING), *swapped, still])
    assert {(example.file, example.frame) for example in chosen} == {
        *(("2-False.mp4", frame) for frame in range(0, 12, 2)),
        *(("3-True.mp4", frame) for frame in range(5)),
    }


def test_it_is_fitted_and_nothing_else_is() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny_network()
    real = [example for seed in range(8) for example in clip(seed, 3)]
    fake = [example for seed in range(20, 24) for example in clip(seed, 3, **TALKING)]
    before = state_of(network)
    fit_clip_head(network, real + fake, PAIRS, lambda line: None)
    row = outputs_of(HEAD)[SYNTHESISED]
    assert_only_heads_changed(network, before, row)
    scores = [logits(network, some, HEAD)[:, SYNTHESISED] for some in (real, fake)]
    assert scores[1].min() > scores[0].max()


def test_it_does_not_depend_on_how_often_a_place_was_filmed() -> None:
    """The same clips of a place once more change less than other clips would: both classes count alike."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [tiny_network(), tiny_network()]
        networks[1].load_state_dict(networks[0].state_dict())
    real, fake = clip(1, 3), [example for seed in (20, 21) for example in clip(seed, 3, **TALKING)]
    fit_clip_head(networks[0], real + fake, PAIRS, lambda line: None)
    fit_clip_head(networks[1], [*real, *real, *real] + fake, PAIRS, lambda line: None)
    row = outputs_of(HEAD)[SYNTHESISED]
    assert np.allclose(*(network.judge.weight[row].detach().numpy() for network in networks), atol=1e-3)


def test_other_roles_are_refused() -> None:
    with pytest.raises(RoleError):
        fit_clip_head(tiny_network(), clip(1, 2, role="develop"), PAIRS, lambda line: None)

"""Attacks on the scan's network: within their budget, and in the direction that fools it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from second_look_cases import idle_card, patch, tiny_network
from skimage.data import astronaut

from detector.faces.crop import CropSquare, crop_square
from detector.models.loaded import LoadedModel
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from training.second_look.measuring.adversarial import (
    ATTACKS,
    Attack,
    attack_picture,
    crop_of,
    faces,
    measure_attacks,
)

FACE = CropSquare(226.0, 122.0, 150.0, 0.0)


@pytest.fixture(scope="module")
def scorer(model: LoadedModel) -> Scorer:
    return Scorer(model.alone)


@pytest.mark.parametrize(
    "square",
    [FACE, CropSquare(226.0, 122.0, 60.0, 12.0), CropSquare(250.0, 200.0, 390.0, 0.0)],
    ids=["face", "small and turned", "large"],
)
def test_the_differentiable_crop_is_the_scans_crop(square: CropSquare) -> None:
    picture = np.asarray(astronaut())
    plain = crop_square(picture, square, 128).astype(float)
    given = crop_of(torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1), square, 128)[0]
    apart = np.abs(given.permute(1, 2, 0).numpy() - plain)
    assert apart.mean() < 1 and np.quantile(apart, 0.99) < 8  # OpenCV warps in steps of 1/32 px


@pytest.mark.parametrize("attack", ATTACKS[1::2], ids=lambda attack: attack.name)
@pytest.mark.parametrize("fake", [False, True], ids=["unmanipulated", "manipulated"])
def test_an_attack_keeps_to_its_budget_and_moves_the_logit_away_from_the_truth(
    scorer: Scorer, attack: Attack, fake: bool
) -> None:
    picture = np.asarray(astronaut())
    changed = attack_picture(scorer, picture, FACE, fake, attack)
    assert np.abs(changed.astype(int) - picture).max() == attack.budget
    before, after = scorer.logits([crop_square(image, FACE, 128) for image in (picture, changed)])
    assert (after < before - 0.5) if fake else (after > before + 0.5)


def test_one_face_of_each_clip_as_many_of_each_class() -> None:
    develop = [patch(i, fake, role="develop", frame=n) for i in range(4) for fake in (0, 1) for n in range(3)]
    chosen = faces(develop, 6)
    assert [p.fake for p in chosen] == [1, 1, 1, 0, 0, 0]
    assert len({p.file for p in chosen}) == 6 and {p.frame for p in chosen} == {1}


def test_the_card_says_what_attacks_do_to_scan_and_fused_score(scorer: Scorer) -> None:
    develop = [patch(i, fake, role="develop") for i in range(2) for fake in (False, True)]
    lines: list[str] = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        card = measure_attacks(scorer, tiny_network(), idle_card(), develop, Parameters(), lines.append)
    assert len(card.figures) == len(lines) == 4 * (1 + len(ATTACKS))
    scan = [card.figures[f"100 faces, {name}, AUC, scan"] for name in ("not attacked", ATTACKS[3].name)]
    assert scan[1] <= scan[0]

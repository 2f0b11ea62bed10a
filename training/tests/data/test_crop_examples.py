"""One training example: by its number alone, framed, labelled, the same steps for both classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_faces import encoded, samples

from detector.backends.torch import normalise_batch
from detector.faces.crop import CropSquare, crop_square
from training.data.crop_examples import CELL, UNKNOWN, Examples, stack_crops
from training.data.labelled_sets import DataSetError
from training.data.research_faces import Sample
from training.recipe import MixConfig

KINDS = tuple(MixConfig.model_fields)
EVEN = MixConfig(**dict.fromkeys(KINDS, 1 / len(KINDS)))
SIZE = 64


def only(kind: str) -> MixConfig:
    return MixConfig(**{name: float(name == kind) for name in KINDS})


def examples(mix: MixConfig = EVEN, seed: int = 1, first: int = 0, last: int = 40) -> Examples:
    return Examples(samples(), mix, SIZE, seed, first, last)


def test_shape_and_kind() -> None:
    made = examples()
    assert len(made) == 40
    for index in range(40):
        crop, label, where = made[index]
        assert crop.shape == (3, SIZE, SIZE) and crop.dtype == torch.uint8
        assert where.shape == (SIZE // CELL, SIZE // CELL) and where.dtype == torch.float32
        assert label in {0.0, 1.0}


def test_by_number_alone() -> None:
    """Twice the same, in any order, and after a resumption what it would have been."""
    whole = examples()
    forward = [whole[i] for i in range(40)]
    for i in reversed(range(40)):
        assert torch.equal(whole[i][0], forward[i][0]) and whole[i][1] == forward[i][1]
    resumed = examples(first=25)
    assert len(resumed) == 15
    for i in range(15):
        assert torch.equal(resumed[i][0], forward[25 + i][0])
    assert not torch.equal(examples(seed=2)[0][0], forward[0][0])
    assert len({crop.numpy().tobytes() for crop, _, _ in forward}) == 40


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("dfdc_real", 0.0),
        ("dfdc_fake", 1.0),
        ("dfdc_self_blend", 1.0),
        ("other_real", 0.0),
        ("other_self_blend", 1.0),
        ("other_swap", 1.0),
        ("other_reenacted", 1.0),
    ],
)
def test_labels_by_kind(kind: str, label: float) -> None:
    made = examples(only(kind), last=12)
    assert {made[i][1] for i in range(12)} == {label}


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("dfdc_real", 0.0, 0.0),
        ("other_real", 0.0, 0.0),
        ("dfdc_fake", UNKNOWN, UNKNOWN),
        ("other_self_blend", 0.0, 1.0),
        ("dfdc_self_blend", 0.0, 1.0),
    ],
)
def test_where_it_was_blended(kind: str, least: float, most: float) -> None:
    """Nowhere, unknown, or a map of shares that has some of it and not all."""
    made = examples(only(kind), last=12)
    maps = torch.stack([made[i][2] for i in range(12)])
    assert maps.min() >= least and maps.max() <= most
    if least < most:
        assert (maps.amax(dim=(1, 2)) > 0).all() and maps.mean() < 0.9


def test_where_is_mirrored_with_the_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blend of the left half of the face lies left in the crop or, in a mirrored crop, right in both."""
    from training.data import crop_examples
    from training.synthesis.blending import Blend

    def left(image: np.ndarray, *_: object) -> Blend:
        mask = np.zeros(image.shape[:2], np.float32)
        mask[:, : image.shape[1] // 2] = 1
        out = np.zeros_like(image)
        out[mask > 0] = 255
        return Blend(out, mask)

    monkeypatch.setattr(crop_examples, "self_blend", left)
    made = examples(only("other_self_blend"), last=30)
    sides = set()
    for i in range(30):
        crop, _, where = made[i]
        lit = crop.float().mean(dim=0).mean(dim=0)
        white_left = bool(lit[: SIZE // 4].mean() > lit[-SIZE // 4 :].mean())
        assert white_left == bool(where[:, 0].mean() > where[:, -1].mean())
        sides.add(white_left)
    assert sides == {True, False}


def test_hidden_parts_are_alike_in_both_classes() -> None:
    """The share asked for is hidden in each class, and nothing else about an example changes."""
    for kind in ("dfdc_real", "dfdc_fake"):
        plain, hidden = (Examples(samples(), only(kind), SIZE, 1, 0, 60, share) for share in (0.0, 1.0))
        changed = [(plain[i][0].float() - hidden[i][0].float()).abs().mean() > 0.5 for i in range(60)]
        same_flip = [torch.equal(plain[i][2], hidden[i][2]) for i in range(60)]
        assert np.mean(changed) > 0.8
        assert all(same_flip)
    none = Examples(samples(), only("dfdc_real"), SIZE, 1, 0, 5, 0.0)
    assert torch.equal(none[3][0], Examples(samples(), only("dfdc_real"), SIZE, 1, 0, 5)[3][0])


def test_the_mix_is_kept() -> None:
    mix = MixConfig(**{**dict.fromkeys(KINDS, 0.0), "dfdc_real": 0.5, "dfdc_fake": 0.5})
    made = examples(mix, last=200)
    assert np.mean([made[i][1] for i in range(200)]) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("dfdc_real", [s for s in samples() if s.label or not s.framed]),
        ("dfdc_fake", [s for s in samples() if not s.label]),
        ("dfdc_self_blend", [replace(s, landmarks=None) for s in samples()]),
        ("other_real", [s for s in samples() if s.framed]),
        ("other_reenacted", samples(3)),  # a clip of few faces
    ],
)
def test_a_share_of_what_is_not_there(kind: str, left: list[Sample]) -> None:
    with pytest.raises(DataSetError, match=f"{kind} has a share of 1, but.*research folder"):
        Examples(left, only(kind), SIZE, 1, 0, 4)
    Examples(left, only("dfdc_fake" if kind != "dfdc_fake" else "dfdc_real"), SIZE, 1, 0, 4)


def test_real_crops_without_landmarks_are_not_blended() -> None:
    pool = [s for s in samples() if s.framed]
    bare = [Sample(s.data, s.label, s.group, None, True) for s in pool[:2]]
    made = Examples([*bare, pool[2]], only("dfdc_self_blend"), SIZE, 1, 0, 10)
    assert {made[i][1] for i in range(10)} == {1.0}


def test_framing_stays_near_the_middle() -> None:
    """A face with a margin is cut to its framing: the margin, painted red, hardly shows."""
    wide = np.zeros((102, 102, 3), np.uint8)
    wide[...] = (250, 10, 10)
    wide[19:83, 19:83] = (10, 250, 10)
    sample = Sample(encoded(wide), 0, "g", None, framed=False)
    made = Examples([sample], only("other_real"), SIZE, 3, 0, 40)
    green = [float((c[1].float() > c[0].float()).float().mean()) for c, _, _ in (made[i] for i in range(40))]
    assert np.median(green) > 0.9
    middle = [c[:, 16:48, 16:48] for c, _, _ in (made[i] for i in range(40))]
    assert all((m[1].float() >= m[0].float() - 3).float().mean() > 0.97 for m in middle)


def test_half_are_mirrored() -> None:
    left = np.zeros((64, 64, 3), np.uint8)
    left[:, :32] = 255
    made = Examples([Sample(encoded(left), 0, "g", None, True)], only("dfdc_real"), SIZE, 3, 0, 60)
    lit = [
        bool(c[:, :, :20].float().mean() > c[:, :, 44:].float().mean())
        for c, _, _ in (made[i] for i in range(60))
    ]
    assert 15 <= sum(lit) <= 45


def test_normalised_as_the_scorer_does() -> None:
    from detector.models.loaded import load_model
    from detector.scoring.scorer import Scorer

    crops = [np.random.default_rng(i).integers(0, 255, (64, 64, 3), np.uint8) for i in range(3)]
    scorer = Scorer(load_model(), torch.device("cpu"))
    given = normalise_batch(
        torch.from_numpy(stack_crops(crops)), scorer.card.input.mean, scorer.card.input.std
    )
    assert torch.allclose(given, scorer.tensor(crops), atol=1e-6)


def test_stacked() -> None:
    crop = crop_square(np.full((64, 64, 3), (1, 2, 3), np.uint8), CropSquare(32, 32, 64, 0), 32)
    assert stack_crops([crop, crop]).shape == (2, 3, 32, 32)
    assert stack_crops([crop])[0, :, 5, 5].tolist() == [1, 2, 3]

"""No generator and no person crosses between what is learnt from and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from training.unseen.families import EDIT, LIPS, REAL, SWAP, TALKING, VIDEO, family_of
from training.unseen.folds import FOLDS, Item, fold_of_families, held_out, learnable


def _items() -> list[Item]:
    """Forty families of six clips; each clip shares its group with one of another family and a real one."""
    rng = np.random.default_rng(3)
    items = []
    for number in range(40):
        for clip in range(6):
            group = f"g{rng.integers(60)}"
            role = "develop" if int(group[1:]) % 5 == 0 else "train"
            kind = (TALKING, SWAP, VIDEO)[number % 3]
            items.append(Item(f"f{number}-{clip}", f"family {number}", kind, group, role))
    items += [Item(f"r{n}", REAL, REAL, f"g{n}", "develop" if n % 5 == 0 else "train") for n in range(60)]
    return items


@pytest.mark.parametrize("fold", range(FOLDS))
def test_no_family_and_no_group_crosses(fold: int) -> None:
    items = _items()
    folds = fold_of_families(items)
    outside, learnt = held_out(items, folds, fold), learnable(items, folds, fold)
    assert outside.any() and learnt.any() and not (outside & learnt).any()
    of_outside = [item for item, out in zip(items, outside, strict=True) if out]
    of_learnt = [item for item, kept in zip(items, learnt, strict=True) if kept]
    assert not {item.family for item in of_outside} & {item.family for item in of_learnt}
    assert not {item.group for item in of_outside} & {item.group for item in of_learnt}
    assert all(item.role == "train" for item in of_learnt)


def test_each_family_is_held_out_once_and_kinds_are_spread_evenly() -> None:
    items = _items()
    folds = fold_of_families(items)
    assert folds.keys() == {item.family for item in items if item.fake}
    for kind in (TALKING, SWAP, VIDEO):
        counts = np.bincount([folds[item.family] for item in items if item.kind == kind], minlength=FOLDS)
        assert counts.max() - counts.min() <= 6
    assert fold_of_families(items[::-1]) == folds


@pytest.mark.parametrize(
    ("generator", "family", "kind"),
    [
        ("AniPortrait (video-driven)", "AniPortrait", TALKING),
        ("Follow-Your-Emoji", "Follow-Your-Emoji", TALKING),
        ("FollowYourEmoji", "Follow-Your-Emoji", TALKING),
        ("EDTalk + face super-resolution", "EDTalk", TALKING),
        ("BioDeepAV (talking-head generator unstated)", "BioDeepAV", TALKING),
        ("ReSyncer (face swap + lip-sync)", "ReSyncer", SWAP),
        ("ReSyncer (style transfer)", "ReSyncer", LIPS),
        ("StyleSwap+StyleSync", "StyleSwap and StyleSync", SWAP),
        ("FF++ c23 (method not stated, likely Deepfakes)", "FF++ Deepfakes", SWAP),
        ("Wav2Lip on generated portrait", "Wav2Lip", LIPS),
        ("STIT (StyleGAN edit: smile)", "STIT", EDIT),
        ("Ovi (joint audio-video)", "Ovi", VIDEO),
        ("GAIA + SR", "GAIA", TALKING),
    ],
)
def test_versions_of_a_generator_are_one_family(generator: str, family: str, kind: str) -> None:
    assert family_of(generator) == (family, kind)

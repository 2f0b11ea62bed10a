"""Fit what inner faces say of alteration, on generators' examples and on blends, after the blocks.

A head that learnt from generators alone knows these, and others hardly. A blend of a face with an altered
copy of itself (Shiohara and Yamasaki, CVPR 2022) has what many of them leave and nothing of any one, so that
generators nobody learnt from are told better by a head that knows both (docs/experiments.md). Each blend
stands against the same face without it, changed in colour and sharpness as the blend is and degraded
likewise: otherwise these changes would be the sign. A head that learnt mostly from blends tells unknown
generators better and known ones worse; the mean of both heads has most of either. No block is tuned for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.faces.crop import crop_square
from detector.faces.framing import INNER
from detector.faces.patch import decode
from detector.media.frame import Image
from detector.networks.readings import ALTERED
from detector.networks.vit_small_14 import ViTSmall14
from detector.training.second_look.examples.crops import handed_on, square_of
from detector.training.second_look.examples.patches import Patch, require_training
from detector.training.second_look.examples.sampling import ALTERED_SHARES, Sampler
from detector.training.second_look.features import features_of
from detector.training.second_look.linear_heads import head_of, set_head, standardised
from detector.training.synthesis.blending import TEMPLATE, self_blend_pair

BLENDED = {"clips": 900, "videos": 200, "ffpp": 1000, "dfdc": 700, "lfw": 350, "utkface": 350}
"""How many unmanipulated faces of each source are blended."""
_EXAMPLES = 5000  # of generators and unmanipulated faces
_BLENDS = 0.8  # of the weight
_STRENGTH = 0.001  # C of the logistic regression, for weights that add up to the number of examples
_SIDE = 256  # px, at which a face is blended
_SEED = 41


@dataclass(frozen=True)
class BlendPair:
    """An unmanipulated inner face of role ``train`` without and with a blend; what is drawn follows from
    ``seed``. Raises :class:`~detector.training.second_look.examples.patches.RoleError` for another role."""

    patch: Patch
    seed: int

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    def crops(self, size: int) -> tuple[Image, Image]:
        """Without and with it, (size, size, 3)."""
        rng = np.random.default_rng(self.seed)
        face = crop_square(decode(self.patch.data), square_of(self.patch, INNER, rng), _SIDE)
        landmarks = (TEMPLATE * _SIDE).astype(np.float32)  # where an inner face has them
        without, blend = self_blend_pair(face, landmarks, rng)
        return handed_on(without, self.patch, size, rng), handed_on(blend.image, self.patch, size, rng)


def blend_pairs(patches: Sequence[Patch], counts: dict[str, int], seed: int = _SEED) -> list[BlendPair]:
    """So many of the unmanipulated ``patches`` of each source, or all there are."""
    rng = np.random.default_rng(seed)
    pairs = []
    for source, count in counts.items():
        faces = [patch for patch in patches if patch.source == source and not patch.fake]
        for row in rng.permutation(len(faces))[:count].tolist():
            pairs.append(BlendPair(faces[row], int(rng.integers(2**31))))
    return pairs


def fit_altered_head(network: ViTSmall14, patches: Sequence[Patch], report: Callable[[str], None]) -> None:
    """Let the head *altered* of inner faces be the mean of what it is and of one that knows blends.

    ``patches`` are those of role ``train``.
    """
    examples = Sampler(patches, shares=ALTERED_SHARES).batch(np.random.default_rng(_SEED), _EXAMPLES)
    examples = [example for example in examples if example.targets[ALTERED] >= 0]
    labels = np.array([example.targets[ALTERED] for example in examples])
    known = features_of(network, (example.crop(network.size) for example in examples), report)
    pairs = blend_pairs(patches, BLENDED)
    blended = features_of(network, pair_crops(pairs, network.size), report)
    z = standardised(np.concatenate([known, blended]), network.centre.numpy(), network.spread.numpy())
    weight, bias = with_blends(z, labels)
    weight_before, bias_before = head_of(network, INNER, ALTERED)
    set_head(network, INNER, ALTERED, (weight_before + weight) / np.float32(2), (bias_before + bias) / 2)


def pair_crops(pairs: Sequence[BlendPair], size: int) -> Iterator[Image]:
    """Without, with, without, with."""
    for pair in pairs:
        yield from pair.crops(size)


def with_blends(z: NDArray[np.float32], labels: NDArray[np.integer]) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of a logistic regression on standardised features ``z`` (n + 2 · pairs, f).

    The first n are examples with ``labels`` (n,); the others are pairs and have most of the weight. In both,
    the two classes count alike.
    """
    all_labels = np.concatenate([labels, np.tile([0, 1], (len(z) - len(labels)) // 2)])
    blended = np.arange(len(z)) >= len(labels)
    weights = np.empty(len(z))
    for part, of_all in ((~blended, 1 - _BLENDS), (blended, _BLENDS)):
        for label in (0, 1):
            mine = part & (all_labels == label)
            weights[mine] = of_all / 2 / max(mine.sum(), 1) * len(z)
    model = LogisticRegression(C=_STRENGTH, max_iter=300).fit(z, all_labels, sample_weight=weights)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])

"""Fit what inner faces say of alteration, on generators' examples and on blends, after the blocks.

A head that learnt from generators alone knows these, and others hardly. A blend of a face with an altered
copy of itself (Shiohara and Yamasaki, CVPR 2022) has what many of them leave and nothing of any one, so that
generators nobody learnt from are told better by a head that knows both (docs/experiments.md). Each blend
stands against the same face without it, changed in colour and sharpness as the blend is and degraded
likewise: otherwise these changes would be the sign. A head that learnt mostly from blends tells unknown
generators better and known ones worse; the mean of both heads has most of either. No block is tuned for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from detector.faces.framing import INNER
from detector.networks.readings import ALTERED
from detector.networks.vit_small_14 import ViTSmall14
from detector.training.second_look.examples.blend_pairs import blend_pairs
from detector.training.second_look.examples.pairs import pair_crops
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.examples.sampling import ALTERED_SHARES, Sampler
from detector.training.second_look.features import features_of
from detector.training.second_look.linear_heads import as_read, head_of, head_with_pairs, set_head

BLENDED = {"clips": 900, "videos": 200, "ffpp": 1000, "dfdc": 700, "lfw": 350, "utkface": 350}
"""How many unmanipulated faces of each source are blended."""
BLENDS = 0.8
"""Share of the weight that pairs with blends have."""
_EXAMPLES = 5000  # of generators and unmanipulated faces
_STRENGTH = 12.0  # C of the logistic regression, for weights that add up to one
_SEED = 41


def fit_altered_head(network: ViTSmall14, patches: Sequence[Patch], report: Callable[[str], None]) -> None:
    """Let the head *altered* of inner faces be the mean of what it is and of one that knows blends.

    ``patches`` are those of role ``train``.
    """
    examples = Sampler(patches, shares=ALTERED_SHARES).batch(np.random.default_rng(_SEED), _EXAMPLES)
    examples = [example for example in examples if example.targets[ALTERED] >= 0]
    labels = np.array([example.targets[ALTERED] for example in examples])
    known = features_of(network, (example.crop(network.size) for example in examples), report)
    blended = features_of(network, pair_crops(blend_pairs(patches, BLENDED), network.size), report)
    weight, bias = head_with_pairs(
        as_read(network, known), labels, as_read(network, blended), BLENDS, _STRENGTH
    )
    weight_before, bias_before = head_of(network, INNER, ALTERED)
    set_head(network, INNER, ALTERED, (weight_before + weight) / np.float32(2), (bias_before + bias) / 2)

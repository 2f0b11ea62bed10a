"""Fit what inner faces say of alteration, on generators' examples and on blends, after the blocks.

Nine in ten examples are crops of the two large sets, whose people were filmed alike, altered or not: a head
that learnt from clips of many places tells the places apart, and generators which it has not learnt from
hardly at all (docs/experiments.md). A blend of a face with an altered copy of itself (Shiohara and Yamasaki,
CVPR 2022) has what many generators leave and nothing of any one. Each blend stands against the same face
without it, changed in colour and sharpness as the blend is and degraded likewise: otherwise these changes
would be the sign. One head learns from the examples, another from blends as well; a quarter of what the
network said before is kept, which knows the generators of the clips better. No block is tuned for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.faces.framing import INNER
from detector.networks.readings import ALTERED
from detector.networks.vit_small_14 import ViTSmall14
from detector.progress import ReportText
from detector.training.second_look.examples.blend_pairs import blend_pairs
from detector.training.second_look.examples.pairs import pair_crops
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.examples.sampling import ALTERED_SHARES, Sampler
from detector.training.second_look.features import features_of
from detector.training.second_look.linear_heads import (
    as_read,
    head_of,
    head_with_pairs,
    linear_head,
    set_head,
)

BLENDED = {"clips": 300, "videos": 66, "ffpp": 333, "dfdc": 233, "lfw": 116, "utkface": 116}
"""How many unmanipulated faces of each source are blended."""
BLENDS = 0.5
"""Share of the weight that pairs with blends have in the head that learns from them."""
EXAMPLES_STRENGTH = 0.0003
"""C of the logistic regression on examples alone, for weights that add up to their number."""
_KEPT = 0.25  # of the head that the network has
_EXAMPLES = 6000  # of generators and unmanipulated faces
_STRENGTH = 8.0  # C of the one with blends, for weights that add up to one
_SEED = 41


def fit_altered_head(network: ViTSmall14, patches: Sequence[Patch], report: ReportText) -> None:
    """Let the head *altered* of inner faces be mostly the mean of one on examples and one on blends as well.

    ``patches`` are those of role ``train``.
    """
    examples = Sampler(patches, shares=ALTERED_SHARES).batch(np.random.default_rng(_SEED), _EXAMPLES)
    examples = [example for example in examples if example.targets[ALTERED] >= 0]
    labels = np.array([example.targets[ALTERED] for example in examples])
    known = features_of(network, (example.crop(network.size) for example in examples), report)
    blended = features_of(network, pair_crops(blend_pairs(patches, BLENDED), network.size), report)
    z, pairs = as_read(network, known), as_read(network, blended)
    before = head_of(network, INNER, ALTERED)
    learnt = [
        linear_head(z, labels, EXAMPLES_STRENGTH),
        head_with_pairs(z, labels, pairs, BLENDS, _STRENGTH),
    ]
    weight, bias = (
        _KEPT * was + (1 - _KEPT) * (one + two) / 2 for was, one, two in zip(before, *learnt, strict=True)
    )
    set_head(network, INNER, ALTERED, weight, bias)

"""Fit what whole heads of footage say of synthesis on clips alone, after the blocks and other outputs.

Photographs have outputs of their own. While the blocks were tuned, this one learnt from stills as well, half
of them pictures by generators of portraits. What gives those away is gone from most footage: talking heads of
other people are told from unmanipulated clips better by a head that has learnt from clips alone
(docs/experiments.md). Generators that animate one picture and that nobody learnt from are told better by a
head that has learnt from motion put onto another frame as well
(:mod:`~detector.training.second_look.examples.motion_pairs`); the mean of both has most of either. They are
logistic regressions; no block is tuned for them.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.faces.framing import HEAD
from detector.media.frame import Image
from detector.networks.readings import SYNTHESISED
from detector.networks.vit_small_14 import ViTSmall14
from detector.progress import ReportText
from detector.training.second_look.examples.crops import plain_crop
from detector.training.second_look.examples.kinds import UNASKED, targets
from detector.training.second_look.examples.pairs import Pair, pair_crops
from detector.training.second_look.examples.patches import Patch
from detector.training.second_look.examples.sampling import Example, place_of
from detector.training.second_look.features import features_of
from detector.training.second_look.linear_heads import as_read, head_with_pairs, set_head, share_out

MOVED = 0.7
"""Share of the weight that pairs have in the head that learns from them."""
_FRAMES = 6  # of each clip: of twelve patches every other one, of eight the first ones
_EVENING = 0.25  # 0: each clip counts alike; 1: each generator or place
_STRENGTH = 0.0005  # C of the logistic regression, for weights that add up to the number of clips
_STRENGTH_WITH_PAIRS = 2.0  # that of the head which learns from pairs, for weights that add up to one


def clip_frames(patches: Iterable[Patch]) -> list[Patch]:
    """Some frames of each clip and video of which it is known whether they were synthesised."""
    frames = defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source in {"clips", "videos"} and _target(patch) != UNASKED:
            frames[patch.file].append(patch)
    chosen = []
    for of_file in frames.values():
        of_file.sort(key=lambda patch: patch.frame)
        chosen += of_file[:: max(1, len(of_file) // _FRAMES)][:_FRAMES]
    return chosen


def fit_clip_head(
    network: ViTSmall14, patches: Sequence[Patch], pairs: Sequence[Pair], report: ReportText
) -> None:
    """Set the head *synthesised* of whole heads anew, from ``patches`` as they are and degraded once each.

    It is the mean of one fitted on these and of one fitted on ``pairs`` as well. Raises
    :class:`~detector.training.second_look.examples.patches.RoleError` for a patch of another role.
    """
    z = as_read(network, features_of(network, _crops(patches, network.size), report))
    moved = as_read(network, features_of(network, pair_crops(pairs, network.size), report))
    twice = [patch for patch in patches for _ in range(2)]
    labels, weights = np.array([_target(patch) for patch in twice]), _places_alike(twice)
    model = LogisticRegression(C=_STRENGTH, max_iter=500).fit(z, labels, sample_weight=weights)
    weight, bias = head_with_pairs(z, labels, moved, MOVED, _STRENGTH_WITH_PAIRS, weights)
    mean = (model.coef_[0].astype(np.float32) + weight) / np.float32(2)
    set_head(network, HEAD, SYNTHESISED, mean, (float(model.intercept_[0]) + bias) / 2)


def _crops(patches: Sequence[Patch], size: int) -> Iterator[Image]:
    for patch in patches:
        # What is drawn follows from the frame's name alone.
        degraded = Example(patch, HEAD, zlib.crc32(f"{patch.file}/{patch.frame}".encode()))
        yield plain_crop(patch, HEAD, size)
        yield degraded.crop(size)


def _places_alike(patches: Sequence[Patch]) -> NDArray[np.float64]:
    """Weights (n,): both classes alike; in one, a clip counts less the more its generator or place has."""
    places = [(_target(patch), place_of(patch)) for patch in patches]
    clips = Counter(
        place for place, _ in {(place, patch.file) for place, patch in zip(places, patches, strict=True)}
    )
    frames = Counter(patch.file for patch in patches)
    weights = np.array(
        [clips[place] ** -_EVENING / frames[patch.file] for place, patch in zip(places, patches, strict=True)]
    )
    fake = np.array([target == 1 for target, _ in places])
    for of_class in (fake, ~fake):
        share_out(weights, of_class, len(frames) / 2)
    return weights


def _target(patch: Patch) -> int:
    return targets(patch.generator, patch.fake)[SYNTHESISED]

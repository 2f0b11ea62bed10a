"""Fit the transformer's linear heads on features of its blocks, which stay fixed."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from detector.backends.runtimes import knows_bfloat16
from detector.faces.crop import HEAD, INNER
from detector.media.frame import Image
from detector.networks.graphs import ALTERED, PHOTOGRAPH, QUESTIONS, READINGS, outputs_of
from detector.networks.vit_small_14 import ViTSmall14, pool_tokens
from detector.progress import ReportText
from training.second_look.examples.pairs import blend_pairs, pair_crops
from training.second_look.examples.patches import Patch, require_training, targets
from training.second_look.examples.sampling import (
    ALTERED_SHARES,
    Sampler,
    plain_crop,
    resaved_crop,
)

Features = NDArray[np.float32]  # (n, f)
Weights = NDArray[np.float64]  # (n,)

_BATCH = 8
_REPORT_EVERY = 50  # batches


@torch.inference_mode()
def features_of(network: ViTSmall14, crops: Iterable[Image], report: ReportText) -> Features:
    """Return unstandardised features (n, f) of crops of the network's size."""
    network.eval()
    out: list[Features] = []
    for batch in in_batches(crops):
        out.append(pool_tokens(taps_of(network, batch)).numpy())
        if len(out) % _REPORT_EVERY == 0:
            report(f"features of {len(out) * _BATCH} crops")
    return np.concatenate(out)


@torch.inference_mode()
def taps_of(network: ViTSmall14, crops: Sequence[Image]) -> list[Tensor]:
    """Return tokens (n, 1 + patches, width) of crops of the network's size after each tap, in float32."""
    # Twice as fast on processors with bfloat16; features differ by a hundredth.
    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
        taps = network.collect_all_taps(network.normalise(torch.from_numpy(np.stack(crops))))
    return [tokens.float() for tokens in taps]


def in_batches(crops: Iterable[Image]) -> Iterator[list[Image]]:
    """Yield lists of ``_BATCH`` crops; the last may be shorter."""
    iterator = iter(crops)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


STRENGTH = 0.001
"""Default C of the logistic regression."""
_CLIPPED = 8.0  # as in the network


def fit_linear_heads(
    network: ViTSmall14, features: Features, framings: NDArray[np.int64], targets: NDArray[np.float32]
) -> None:
    """Fit the empty heads of a network to features (n, f) of ``framings`` (n,) and targets (n, questions).

    The first heads also set the standardisation. Heads of framings without examples stay empty.
    """
    weights, biases = (
        part.detach().view(READINGS, QUESTIONS, -1) for part in (network.judge.weight, network.judge.bias)
    )
    if not weights.any():
        network.centre.copy_(torch.from_numpy(features.mean(axis=0)))
        network.spread.copy_(torch.from_numpy(features.std(axis=0) + 1e-3))
    for framing in np.unique(framings).tolist():
        if weights[framing].any():
            continue
        chosen = framings == framing
        z = standardise_for_heads(network, features[chosen])
        for question, labels in enumerate(targets[chosen].T):
            applies = labels >= 0
            weight, bias = linear_head(z[applies], labels[applies])
            weights[framing, question] = torch.from_numpy(weight)
            biases[framing, question] = bias


def standardise(features: Features, centre: NDArray[np.float32], spread: NDArray[np.float32]) -> Features:
    """Subtract ``centre`` (f,) from features (n, f), divide by ``spread`` (f,), and clip."""
    return np.clip((features - centre) / spread, -_CLIPPED, _CLIPPED)


def standardise_for_heads(network: ViTSmall14, features: Features) -> Features:
    """Standardise features (n, f) of crops as the heads of ``network`` read them."""
    return standardise(features, network.centre.numpy(), network.spread.numpy())


def get_head(network: ViTSmall14, reading: int, question: int) -> tuple[NDArray[np.float32], float]:
    """Return weights (f,) and bias of one head of ``network``, for standardised features."""
    row = outputs_of(reading)[question]
    return network.judge.weight[row].detach().numpy().copy(), network.judge.bias[row].item()


def set_head(
    network: ViTSmall14, reading: int, question: int, weight: NDArray[np.float32], bias: float
) -> None:
    """Set weights (f,) and bias of one head of ``network``, for standardised features."""
    row = outputs_of(reading)[question]
    with torch.no_grad():
        network.judge.weight[row] = torch.from_numpy(weight)
        network.judge.bias[row] = bias


def linear_head(
    features: Features,
    labels: NDArray[np.generic],
    strength: float = STRENGTH,
    weights: Weights | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Fit a logistic regression to features (n, f) with ``labels`` (n,); return weights (f,) and bias.

    Classes have equal weight; ``weights`` (n,) divide it among the examples of a class. ``strength`` is the
    regression's C, for weights that add up to the number of examples.
    """
    shares = np.ones(len(features)) if weights is None else weights.copy()
    for chosen in (labels == 1, labels != 1):
        scale_to_total(shares, chosen, len(features) / 2)
    model = LogisticRegression(C=strength, max_iter=300).fit(features, labels, sample_weight=shares)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def head_with_pairs(
    features: Features,
    labels: NDArray[np.generic],
    pairs: Features,
    share: float,
    strength: float,
    weights: Weights | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Fit a logistic regression to features (n, f) with ``labels`` (n,) and to pairs.

    Every other row of ``pairs`` (2 m, f) is synthetic. They have ``share`` of the total weight of one;
    ``strength`` is the regression's C for that. In both parts classes have equal weight; ``weights`` (n,)
    divide it among the examples of a class.
    """
    every = np.concatenate([features, pairs])
    fake = np.concatenate([labels, np.tile([0, 1], len(pairs) // 2)]) == 1
    shares = np.concatenate([np.ones(len(features)) if weights is None else weights, np.ones(len(pairs))])
    is_pair = np.arange(len(every)) >= len(features)
    for part, total in ((~is_pair, 1 - share), (is_pair, share)):
        for chosen in (part & fake, part & ~fake):
            scale_to_total(shares, chosen, total / 2)
    model = LogisticRegression(C=strength, max_iter=500).fit(every, fake, sample_weight=shares)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def scale_to_total(weights: Weights, chosen: NDArray[np.bool_], total: float) -> None:
    """Scale the ``chosen`` ones of ``weights`` (n,) in place to add up to ``total``."""
    weights[chosen] *= total / max(weights[chosen].sum(), 1e-9)


# The head `altered` of inner faces. Nine in ten examples are crops of the two large sets, whose people were
# filmed alike, altered or not: a head that learns from clips of many places learns the places instead, and
# hardly recognises unknown generators (training/docs/experiments.md).
BLENDED = {"clips": 300, "videos": 66, "ffpp": 333, "dfdc": 233, "lfw": 116, "utkface": 116}
"""Numbers of blended unmanipulated faces by source."""
BLENDS = 0.5
"""Share of weight of the pairs with blends in the head that learns from them."""
EXAMPLES_STRENGTH = 0.0003
"""C of the logistic regression on examples only, for weights that add up to their number."""
_KEPT = 0.25  # share of the network's previous head, which knows the generators of the clips better
_EXAMPLES = 6000  # of generators and unmanipulated faces
_BLENDS_STRENGTH = 8.0  # C of the one with blends, for weights that add up to one
_SEED = 41


def fit_altered_head(network: ViTSmall14, patches: Sequence[Patch], report: ReportText) -> None:
    """Fit the head *altered* of inner faces on ``patches`` of role ``train``.

    Three quarters are the mean of one head on generators' examples and one on blends as well. A blend of a
    face with an altered copy of itself (Shiohara and Yamasaki, CVPR 2022) has the traces of many generators
    and is typical of none. Each blend stands against the same face without it, changed in colour and
    sharpness and degraded likewise: otherwise these changes would be the sign.
    """
    examples = Sampler(patches, shares=ALTERED_SHARES).batch(np.random.default_rng(_SEED), _EXAMPLES)
    examples = [example for example in examples if example.targets[ALTERED] >= 0]
    labels = np.array([example.targets[ALTERED] for example in examples])
    features = features_of(network, (example.crop(network.size) for example in examples), report)
    blended = features_of(network, pair_crops(blend_pairs(patches, BLENDED), network.size), report)
    z, pairs = standardise_for_heads(network, features), standardise_for_heads(network, blended)
    old = get_head(network, INNER, ALTERED)
    first = linear_head(z, labels, EXAMPLES_STRENGTH)
    second = head_with_pairs(z, labels, pairs, BLENDS, _BLENDS_STRENGTH)
    weight = _KEPT * old[0] + (1 - _KEPT) * (first[0] + second[0]) / 2
    bias = _KEPT * old[1] + (1 - _KEPT) * (first[1] + second[1]) / 2
    set_head(network, INNER, ALTERED, weight.astype(np.float32), bias)


_FRAME = 3  # patch taken of a clip: the first may show a title


@dataclass(frozen=True)
class PhotographPatch:
    """A patch of role ``train`` as it is, or saved once more; raises ``RoleError`` for another role."""

    patch: Patch
    resaved: bool = False

    def __post_init__(self) -> None:
        require_training([self.patch], None)

    @property
    def targets(self) -> tuple[int, ...]:
        return targets(self.patch.generator, self.patch.fake)

    def crop(self, size: int) -> Image:
        """Return the whole head; the seed follows from the file's name alone."""
        if not self.resaved:
            return plain_crop(self.patch, HEAD, size)
        seed = zlib.crc32(f"{self.patch.source}/{self.patch.file}/{self.patch.frame}/0".encode())
        return resaved_crop(self.patch, HEAD, size, np.random.default_rng(seed))


def photograph_examples(patches: Iterable[Patch]) -> list[PhotographPatch]:
    """Make examples from ``patches`` of role ``train``: stills, also as platforms share them, and clips.

    One frame of each clip makes the heads know pictures taken from videos as well.
    """
    stills, frames = [], defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source == "stills":
            stills.append(patch)
        elif patch.source in {"clips", "videos"}:
            frames[patch.file].append(patch)
    return [PhotographPatch(patch, resaved) for resaved in (False, True) for patch in stills] + [
        PhotographPatch(of_file[min(_FRAME, len(of_file) - 1)]) for of_file in frames.values()
    ]


def fit_photograph_heads(
    network: ViTSmall14, pictures: Sequence[PhotographPatch], report: ReportText
) -> None:
    """Fit the empty heads of ``network`` for photographs; its other heads stay."""
    features = features_of(network, (picture.crop(network.size) for picture in pictures), report)
    labels = np.array([picture.targets for picture in pictures], np.float32)
    fit_linear_heads(network, features, np.full(len(pictures), PHOTOGRAPH), labels)


def without_photograph_heads(network: ViTSmall14) -> None:
    """Empty the heads for photographs, to fit them again."""
    rows = list(outputs_of(PHOTOGRAPH))
    with torch.no_grad():
        network.judge.weight[rows] = 0.0
        network.judge.bias[rows] = 0.0

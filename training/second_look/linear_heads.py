"""Fit the transformer's linear heads on features of its blocks, which stay fixed."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from detector.backends.runtimes import knows_bfloat16
from detector.faces.crop import HEAD, INNER
from detector.media.frame import Image
from detector.networks.graphs import ALTERED, PHOTOGRAPH, QUESTIONS, READINGS, SYNTHESISED, outputs_of
from detector.networks.vit_small_14 import ViTSmall14, pool_tokens
from detector.progress import ReportText
from training.second_look.examples.pairs import Pair, blend_pairs, pair_crops
from training.second_look.examples.patches import NOT_ASKED, Patch, require_training, targets
from training.second_look.examples.sampling import (
    ALTERED_SHARES,
    Example,
    Sampler,
    place_of,
    plain_crop,
    resaved_crop,
)

_BATCH = 8
_REPORT_EVERY = 50  # batches


@torch.inference_mode()
def features_of(network: ViTSmall14, crops: Iterable[Image], report: ReportText) -> NDArray[np.float32]:
    """Features (n, f) of crops of the network's size, not standardised."""
    network.eval()
    out: list[NDArray[np.float32]] = []
    for some in in_batches(crops):
        out.append(pool_tokens(taps_of(network, some)).numpy())
        if len(out) % _REPORT_EVERY == 0:
            report(f"features of {len(out) * _BATCH} crops")
    return np.concatenate(out)


@torch.inference_mode()
def taps_of(network: ViTSmall14, crops: Sequence[Image]) -> list[Tensor]:
    """Tokens (n, 1 + patches, width) of crops of the network's size after each tap, in single precision."""
    # Twice as fast where the processor knows bfloat16; features differ by a hundredth.
    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
        taps = network.collect_all_taps(network.normalise(torch.from_numpy(np.stack(crops))))
    return [tokens.float() for tokens in taps]


def in_batches(crops: Iterable[Image]) -> Iterator[list[Image]]:
    """Lists of ``_BATCH`` crops; the last may be shorter."""
    some: list[Image] = []
    for crop in crops:
        some.append(crop)
        if len(some) == _BATCH:
            yield some
            some = []
    if some:
        yield some


STRENGTH = 0.001
"""C of the logistic regression, unless another is given."""
_CLIPPED = 8.0  # as in the network


def fit_linear_heads(
    network: ViTSmall14,
    features: NDArray[np.float32],
    framings: NDArray[np.int64],
    targets: NDArray[np.float32],
) -> None:
    """Set heads that say nothing yet, from features (n, f) of ``framings`` (n,) and targets (n, questions).

    With the first ones the standardisation is set. The heads of a framing without examples stay as they are.
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
        weight, bias = linear_heads(z, targets[chosen])
        weights[framing], biases[framing] = torch.from_numpy(weight), torch.from_numpy(bias)[:, None]


def standardise(
    features: NDArray[np.float32], centre: NDArray[np.float32], spread: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Features (n, f) less ``centre`` (f,), divided by ``spread`` (f,), clipped."""
    return np.clip((features - centre) / spread, -_CLIPPED, _CLIPPED)


def standardise_for_heads(network: ViTSmall14, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (n, f) of crops by ``network``, standardised as its heads take them."""
    return standardise(features, network.centre.numpy(), network.spread.numpy())


def get_head(network: ViTSmall14, reading: int, question: int) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of one head of ``network``, for standardised features."""
    row = outputs_of(reading)[question]
    return network.judge.weight[row].detach().numpy().copy(), network.judge.bias[row].item()


def set_head(
    network: ViTSmall14, reading: int, question: int, weight: NDArray[np.float32], bias: float
) -> None:
    """Let one head of ``network`` say what weights (f,) and ``bias`` make of standardised features."""
    row = outputs_of(reading)[question]
    with torch.no_grad():
        network.judge.weight[row] = torch.from_numpy(weight)
        network.judge.bias[row] = bias


def linear_heads(
    features: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (questions, f) and biases of a logistic regression for each question."""
    weight = np.zeros((QUESTIONS, features.shape[1]), np.float32)
    bias = np.zeros(QUESTIONS, np.float32)
    for question in range(QUESTIONS):
        asked = targets[:, question] >= 0
        weight[question], bias[question] = linear_head(features[asked], targets[asked, question])
    return weight, bias


def linear_head(
    features: NDArray[np.float32],
    labels: NDArray[np.generic],
    strength: float = STRENGTH,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of a logistic regression on ``features`` (n, f) with ``labels`` (n,).

    Classes count alike; ``weights`` (n,) say what an example counts among those of its class. ``strength`` is
    the regression's C, for weights that add up to the number of examples.
    """
    among = np.ones(len(features)) if weights is None else weights.copy()
    for chosen in (labels == 1, labels != 1):
        scale_to_total(among, chosen, len(features) / 2)
    model = LogisticRegression(C=strength, max_iter=300).fit(features, labels, sample_weight=among)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def head_with_pairs(
    features: NDArray[np.float32],
    labels: NDArray[np.generic],
    pairs: NDArray[np.float32],
    share: float,
    strength: float,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Weights (f,) and bias of a logistic regression on ``features`` (n, f) of ``labels`` (n,) and on pairs.

    Of the ``pairs`` (2 m, f) every other row is of something made. They have ``share`` of the weight, which
    adds up to one; ``strength`` is the regression's C for that. In both parts the classes count alike;
    ``weights`` (n,) say what an example counts among those of its class.
    """
    every = np.concatenate([features, pairs])
    is_made = np.concatenate([labels, np.tile([0, 1], len(pairs) // 2)]) == 1
    among = np.concatenate([np.ones(len(features)) if weights is None else weights, np.ones(len(pairs))])
    is_pair = np.arange(len(every)) >= len(features)
    for part, of_all in ((~is_pair, 1 - share), (is_pair, share)):
        for chosen in (part & is_made, part & ~is_made):
            scale_to_total(among, chosen, of_all / 2)
    model = LogisticRegression(C=strength, max_iter=500).fit(every, is_made, sample_weight=among)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def scale_to_total(weights: NDArray[np.float64], chosen: NDArray[np.bool_], total: float) -> None:
    """Scale the ``chosen`` of ``weights`` (n,) in place, so that they add up to ``total``."""
    weights[chosen] *= total / max(weights[chosen].sum(), 1e-9)


BLENDED = {"clips": 300, "videos": 66, "ffpp": 333, "dfdc": 233, "lfw": 116, "utkface": 116}
"""How many unmanipulated faces of each source are blended."""
BLENDS = 0.5
"""Share of the weight that pairs with blends have in the head that learns from them."""
EXAMPLES_STRENGTH = 0.0003
"""C of the logistic regression on examples alone, for weights that add up to their number."""
_KEPT = 0.25  # of the head that the network has
_EXAMPLES = 6000  # of generators and unmanipulated faces
_BLENDS_STRENGTH = 8.0  # C of the one with blends, for weights that add up to one
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
    z, pairs = standardise_for_heads(network, known), standardise_for_heads(network, blended)
    before = get_head(network, INNER, ALTERED)
    learnt = [
        linear_head(z, labels, EXAMPLES_STRENGTH),
        head_with_pairs(z, labels, pairs, BLENDS, _BLENDS_STRENGTH),
    ]
    weight, bias = (
        _KEPT * was + (1 - _KEPT) * (one + two) / 2 for was, one, two in zip(before, *learnt, strict=True)
    )
    set_head(network, INNER, ALTERED, weight, bias)


MOVED = 0.7
"""Share of the weight that pairs have in the head that learns from them."""
_FRAMES = 6  # of each clip: of twelve patches every other one, of eight the first ones
_EVENING = 0.25  # 0: each clip counts alike; 1: each generator or place
_CLIPS_STRENGTH = 0.0005  # C of the logistic regression, for weights that add up to the number of clips
_STRENGTH_WITH_PAIRS = 2.0  # that of the head which learns from pairs, for weights that add up to one


def clip_frames(patches: Iterable[Patch]) -> list[Patch]:
    """Some frames of each clip and video of which it is known whether they were synthesised."""
    frames = defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source in {"clips", "videos"} and _target(patch) != NOT_ASKED:
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
    :class:`~training.second_look.examples.patches.RoleError` for a patch of another role.
    """
    z = standardise_for_heads(network, features_of(network, _crops(patches, network.size), report))
    moved = standardise_for_heads(network, features_of(network, pair_crops(pairs, network.size), report))
    twice = [patch for patch in patches for _ in range(2)]
    labels, weights = np.array([_target(patch) for patch in twice]), _places_alike(twice)
    model = LogisticRegression(C=_CLIPS_STRENGTH, max_iter=500).fit(z, labels, sample_weight=weights)
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
        scale_to_total(weights, of_class, len(frames) / 2)
    return weights


def _target(patch: Patch) -> int:
    return targets(patch.generator, patch.fake)[SYNTHESISED]


_FRAME = 3  # which of a clip's patches is taken: the first may be a title's


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
        """The whole head; what is drawn follows from the file's name alone."""
        if not self.resaved:
            return plain_crop(self.patch, HEAD, size)
        seed = zlib.crc32(f"{self.patch.source}/{self.patch.file}/{self.patch.frame}/0".encode())
        return resaved_crop(self.patch, HEAD, size, np.random.default_rng(seed))


def photograph_examples(patches: Iterable[Patch]) -> list[PhotographPatch]:
    """Pictures made of ``patches``, all of role ``train``: of stills and clips."""
    stills, frames = [], defaultdict[str, list[Patch]](list)
    for patch in patches:
        if patch.source == "stills":
            stills.append(patch)
        elif patch.source in {"clips", "videos"}:
            frames[patch.file].append(patch)
    saved = (False, True)
    return [PhotographPatch(patch, resaved) for resaved in saved for patch in stills] + [
        PhotographPatch(of_file[min(_FRAME, len(of_file) - 1)]) for of_file in frames.values()
    ]


def fit_photograph_heads(
    network: ViTSmall14, pictures: Sequence[PhotographPatch], report: ReportText
) -> None:
    """Set the heads of ``network`` for photographs, which say nothing yet; its other heads stay."""
    features = features_of(network, (picture.crop(network.size) for picture in pictures), report)
    wanted = np.array([picture.targets for picture in pictures], np.float32)
    fit_linear_heads(network, features, np.full(len(pictures), PHOTOGRAPH), wanted)


def without_photograph_heads(network: ViTSmall14) -> None:
    """Let the heads for photographs say nothing, to fit them anew."""
    own = list(outputs_of(PHOTOGRAPH))
    with torch.no_grad():
        network.judge.weight[own] = 0.0
        network.judge.bias[own] = 0.0

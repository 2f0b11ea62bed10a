"""Why a peak frame scored as it did: Grad-CAM, checked by :mod:`detector.explain.occlusion_check`.

Grad-CAM is that of Selvaraju et al. (2017), by the package ``grad-cam``; of transformers it is the variant
HiResCAM (:class:`detector.explain.grad_cam.UnscaledHiResCAM`), added up over the last blocks. Maps of a
convolutional network's layers, and of the networks that decided together, are joined by their geometric mean:
hot is what all of them say, which agrees better with masks that are known (docs/models.md). The package's own
scaling stretches every map from 0 to 1, so that a weak frame looks as hot as a strong one; here maps keep
their values, and all maps of one analysis share one scale. What is no hotter than the crop's average is left
out, for the same reason.

Of a network in an ONNX file only scores can be had. Its map is an occlusion map (Zeiler and Fergus, 2014):
squares of the face are hidden one after the other, and a place is as hot as the score falls without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.occlusion import hide_each
from detector.explain.occlusion_check import occlusion_check
from detector.faces.crop import CropSquare
from detector.media.frame import Image
from detector.schema.analysis import RANDOM_AREAS, Box, HideAndRescore
from detector.scoring.explainable import Explainable, SeenCrop
from detector.scoring.scorer import Scorer

_TOKEN_BLUR = 0.7  # tokens: standard deviation of the blur of a transformer's map
# Of an occlusion map: the side of what is hidden, as a share of the crop's; places across and down.
_HIDDEN_SIDE, _PLACES = 0.25, 8
_AT_ONCE = 16  # changed crops scored together

Heat = NDArray[np.float32]  # (size, size), not negative
CropLogits = Callable[[Sequence[Image]], NDArray[np.float64]]


@dataclass(frozen=True)
class Explained:
    """One peak frame's map in pixels of its largest crop, and its check."""

    name: str
    square: CropSquare
    box: Box
    heat: Heat
    check: HideAndRescore


def explain(
    scorer: Scorer,
    face: Explainable,
    name: str,
    box: Box,
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> Explained:
    """Map and check of ``face``, whose box in its frame is ``box``."""
    heat = heatmap_of(face)
    return Explained(name, face.square, box, heat, occlusion_check(scorer, face, heat, seed, areas))


def shared_maximum(explained: Iterable[Explained]) -> float:
    """The value that is full colour on the analysis's shared scale; 1 if no map has any."""
    return max((float(e.heat.max()) for e in explained), default=0.0) or 1.0


def heatmap_of(face: Explainable) -> Heat:
    """:func:`joined_map` of what decided on ``face``; of an ONNX file its occlusion map."""
    if face.seen[0].network is None:
        return occlusion_map(face.seen[0].crop, lambda crops: face.logits([crops]))
    return joined_map(face.seen)


def joined_map(seen: Sequence[SeenCrop]) -> Heat:
    """What all networks of ``seen`` rest on, at the size of the largest crop.

    Where they have nothing in common, the map of the first.
    """
    size = max(one.crop.shape[0] for one in seen)
    return _in_common([_resized(_of_network(one), size) for one in seen])


def maps_of_crops(scorer: Scorer, crops: list[Image]) -> list[Heat]:
    """For measuring: the maps of ``scorer``'s own network, each at its crop's size; analyses :func:`explain`.

    What lies above a map's mean is in units of the logit's gradient; of an ONNX file, of the logit.
    """
    if scorer.card.onnx:
        return [occlusion_map(crop, scorer.logits) for crop in crops]
    return [_of_network(SeenCrop(crop, scorer.network, scorer.card.input)) for crop in crops]


def _of_network(seen: SeenCrop) -> Heat:
    """The map of one network, enlarged to its crop: from 4 × 4 places of the shipped scan, 16 × 16 of the
    second network."""
    # Imported here: few files have anything to explain, and torch takes seconds.
    from detector.backends.torch import images_of
    from detector.explain.grad_cam import (
        UnscaledGradCAM,
        UnscaledHiResCAM,
        gradients_of,
        places_of_tokens,
    )

    network = seen.network
    assert network is not None
    # The mirror image is as much manipulated. Of a transformer once is enough: its maps are of many layers.
    crops = [seen.crop] if network.gives_tokens else [seen.crop, seen.crop[:, ::-1]]
    images = images_of(crops, seen.input, next(network.parameters()).device)
    target = (lambda logit: logit) if seen.output is None else (lambda logits: logits[..., seen.output])
    method, places = (UnscaledHiResCAM, places_of_tokens) if network.gives_tokens else (UnscaledGradCAM, None)
    layers = network.cam_layers
    with gradients_of(layers[0]), method(network, list(layers), reshape_transform=places) as cam:
        of_layers = cam(images, targets=[target] * len(crops))
    size = seen.crop.shape[0]
    if network.gives_tokens:
        # Single tokens stand out by chance; what is hot together is what the answer rests on.
        shares = of_layers[:, 0].sum(axis=0)
        together = cv2.GaussianBlur(shares, (0, 0), _TOKEN_BLUR, borderType=cv2.BORDER_REPLICATE)
        return _above_mean(together, size)
    there, back = np.maximum(of_layers, 0).swapaxes(0, 1)
    common = _in_common([_above_mean(each, size) for each in (there + back[..., ::-1]) / 2])
    return _above_mean(common, size)


def _in_common(maps: Sequence[Heat]) -> Heat:
    """The geometric mean of ``maps``; where it is empty, the first of them."""
    common: Heat = np.prod(maps, axis=0) ** np.float32(1 / len(maps))
    return common if common.any() else maps[0]


def occlusion_map(crop: Image, logits: CropLogits) -> Heat:
    """By how much the logit of ``crop`` falls where a part of it is hidden; the rest is 0.

    Squares of a quarter of the side are hidden at :data:`_PLACES` places across and down, as the check hides
    areas (:mod:`detector.explain.occlusion`). A place has the mean fall of all squares that cover it.
    """
    size = crop.shape[0]
    side = round(size * _HIDDEN_SIDE)
    starts = np.linspace(0, size - side, _PLACES).round().astype(int).tolist()
    masks = []
    for top in starts:
        for left in starts:
            mask = np.zeros((size, size), np.float32)
            mask[top : top + side, left : left + side] = 1
            masks.append(mask)
    before = float(logits([crop])[0])
    fall, covered = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for first in range(0, len(masks), _AT_ONCE):
        some = masks[first : first + _AT_ONCE]
        for mask, logit in zip(some, logits(hide_each(crop, some)), strict=True):
            fall += np.float32(before - logit) * mask
            covered += mask
    smooth = cv2.GaussianBlur(fall / covered, (0, 0), side / 4)
    return _above_mean(smooth, size)


def _above_mean(values: Heat, size: int) -> Heat:
    """A small map at ``size`` px without what is negative; what is no hotter than its mean is left out."""
    large = _resized(np.maximum(values, 0), size)
    return np.maximum(large - large.mean(), 0)


def _resized(heat: Heat, size: int) -> Heat:
    # Cubic interpolation of a 4×4 map overshoots below zero.
    return np.maximum(cv2.resize(heat, (size, size), interpolation=cv2.INTER_CUBIC), 0)

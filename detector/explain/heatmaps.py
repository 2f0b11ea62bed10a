"""Explain the score of a peak frame by heatmaps, and verify them by hiding what they highlight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import CropSquare
from detector.media.frame import Image
from detector.schema.analysis import RANDOM_AREAS, Box, HideAndRescore
from detector.scoring.fusion import Explainable, SeenCrop
from detector.scoring.scorer import Scorer


def hide(crop: Image, mask: NDArray[np.float32]) -> Image:
    """Blur ``crop`` beyond recognition where ``mask`` (its height and width, 0 to 1) is 1.

    Training hides areas of both classes in the same way, so that hiding is not a trace in itself.
    """
    return hide_each(crop, [mask])[0]


def hide_each(crop: Image, masks: Iterable[NDArray[np.float32]]) -> list[Image]:
    """Hide each of the masks in a copy of ``crop``; the blur, which is slowest, is computed once."""
    blurred = cv2.GaussianBlur(crop, (0, 0), crop.shape[0] / 12)
    return [_mixed(crop, blurred, mask) for mask in masks]


def _mixed(crop: Image, blurred: Image, mask: NDArray[np.float32]) -> Image:
    size = crop.shape[0]
    weight = cv2.GaussianBlur(mask, (0, 0), size / 64)[..., None]
    return np.clip(blurred * weight + crop * (1 - weight) + 0.5, 0, 255).astype(np.uint8)


HIDDEN_AREA = 0.15
_MOST_AREAS, _LEAST_AREAS = 2 * RANDOM_AREAS, 2  # random areas for all maps of one photograph; for one map


def random_area_numbers(number: int, faces: int) -> tuple[int, ...]:
    """Return the numbers of the random areas for check ``number`` if ``faces`` faces are explained.

    Each area costs one more crop of the slowest network, so the areas are distributed over the faces of one
    photograph in turn.
    """
    count = min(RANDOM_AREAS, max(_LEAST_AREAS, _MOST_AREAS // max(1, faces)))
    return tuple((number * count + area) % RANDOM_AREAS for area in range(count))


def occlusion_check(
    scorer: Scorer,
    face: Explainable,
    heat: NDArray[np.float32],
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> HideAndRescore:
    """Hide the hottest 15 % of ``face``, and for comparison the same shape in random areas.

    ``areas`` are the numbers of the random areas (:func:`random_area_numbers`).
    """
    size = heat.shape[0]
    rng = np.random.default_rng(seed)
    # Order equal values randomly, not from the top; in a map without heat all values are equal.
    order = np.lexsort((rng.random(size * size), heat.ravel()))
    mask = np.zeros(size * size, np.float32)
    mask[order[-round(HIDDEN_AREA * size * size) :]] = 1
    mask = mask.reshape(size, size)
    # Rolling wraps around the edge, so each random area has exactly the same size.
    moves = rng.integers(size // 8, size - size // 8, (RANDOM_AREAS, 2))[list(areas)]
    random_masks = [np.roll(mask, tuple(map(int, move)), axis=(0, 1)) for move in moves]
    before, (highlight_logit, *random_logits) = (
        face.logit,
        face.logits(_hidden_in(face, [mask, *random_masks])),
    )
    return HideAndRescore(
        area=float(mask.mean()),
        probability=scorer.probability(before),
        hidden_highlight=scorer.probability(highlight_logit),
        hidden_random=float(np.mean([scorer.probability(logit) for logit in random_logits])),
        drop_highlight=float(before - highlight_logit),
        drop_random=float(before - np.mean(random_logits)),
        areas=len(areas),
    )


def _hidden_in(face: Explainable, masks: Sequence[NDArray[np.float32]]) -> list[list[Image]]:
    """Hide each of ``masks``, which may be larger than the crop, in a copy of each crop of ``face``."""
    copies = []
    for seen_crop in face.seen:
        size = seen_crop.crop.shape[:2]
        crop_masks = [
            cv2.resize(m, size, interpolation=cv2.INTER_AREA) if m.shape != size else m for m in masks
        ]
        copies.append(hide_each(seen_crop.crop, crop_masks))
    return copies


_TOKEN_BLUR = 0.7  # standard deviation of the blur of a transformer's map, in tokens
# Occlusion map: side of the hidden square as a share of the crop's; number of places across and down.
_HIDDEN_SIDE, _PLACES = 0.25, 8
_AT_ONCE = 16  # changed crops scored at once

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
    """Compute map and check of ``face``, whose box in its frame is ``box``."""
    heat = heatmap_of(face)
    return Explained(name, face.square, box, heat, occlusion_check(scorer, face, heat, seed, areas))


def shared_maximum(explained: Iterable[Explained]) -> float:
    """Return the value at the top of the analysis's shared scale; 1 if no map has any heat."""
    return max((float(e.heat.max()) for e in explained), default=0.0) or 1.0


def heatmap_of(face: Explainable) -> Heat:
    """Return the :func:`joint_map` of ``face``, or its occlusion map for an ONNX file."""
    if face.seen[0].network is None:
        return occlusion_map(face.seen[0].crop, lambda crops: face.logits([crops]))
    return joint_map(face.seen)


def joint_map(seen_crops: Sequence[SeenCrop]) -> Heat:
    """Return the map common to all networks of ``seen_crops``; if it is empty, the map of the first."""
    size = max(seen_crop.crop.shape[0] for seen_crop in seen_crops)
    return _in_common([_resized(_of_network(seen_crop), size) for seen_crop in seen_crops])


def maps_of_crops(scorer: Scorer, crops: list[Image]) -> list[Heat]:
    """Return the maps of ``scorer``'s own network at each crop's size, for measurements.

    Heat is in units of the logit's gradient, or of the logit for an ONNX file.
    """
    if scorer.card.onnx:
        return [occlusion_map(crop, scorer.logits) for crop in crops]
    return [_of_network(SeenCrop(crop, scorer.network, scorer.card.input)) for crop in crops]


def _of_network(seen_crop: SeenCrop) -> Heat:
    """Return the map of one network at the size of its crop.

    The network computes 4 × 4 (scan) or 16 × 16 (second network) places.
    """
    # Imported lazily: few files need explanations, and importing torch takes seconds.
    from detector.backends.torch import prepare_images
    from detector.explain.grad_cam import UnscaledGradCAM, UnscaledHiResCAM, limit_gradients, token_map

    network = seen_crop.network
    assert network is not None
    # Average with the mirror image; a transformer does not need it, because its maps combine many layers.
    crops = [seen_crop.crop] if network.gives_tokens else [seen_crop.crop, seen_crop.crop[:, ::-1]]
    images = prepare_images(crops, seen_crop.input, next(network.parameters()).device)
    target = (
        (lambda logit: logit) if seen_crop.output is None else (lambda logits: logits[..., seen_crop.output])
    )
    method, places = (UnscaledHiResCAM, token_map) if network.gives_tokens else (UnscaledGradCAM, None)
    layers = network.cam_layers
    with limit_gradients(network.cam_starts), method(network, list(layers), reshape_transform=places) as cam:
        of_layers = cam(images, targets=[target] * len(crops))
    size = seen_crop.crop.shape[0]
    if network.gives_tokens:
        # Single tokens stand out by chance, so smooth the map.
        shares = of_layers[:, 0].sum(axis=0)
        smooth = cv2.GaussianBlur(shares, (0, 0), _TOKEN_BLUR, borderType=cv2.BORDER_REPLICATE)
        return _above_mean(smooth, size)
    direct, back = np.maximum(of_layers, 0).swapaxes(0, 1)
    common = _in_common([_above_mean(layer_map, size) for layer_map in (direct + back[..., ::-1]) / 2])
    return _above_mean(common, size)


def _in_common(maps: Sequence[Heat]) -> Heat:
    """Return the geometric mean of ``maps``; the first map if the mean is zero everywhere."""
    common: Heat = np.prod(maps, axis=0) ** np.float32(1 / len(maps))
    return common if common.any() else maps[0]


def occlusion_map(crop: Image, logits: CropLogits) -> Heat:
    """Return the fall of the logit of ``crop`` when each part of it is hidden.

    Squares of a quarter of the side are hidden at :data:`_PLACES` places across and down. The value of a
    pixel is the mean fall over the squares that cover it.
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
    fall, coverage = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for first in range(0, len(masks), _AT_ONCE):
        batch = masks[first : first + _AT_ONCE]
        for mask, logit in zip(batch, logits(hide_each(crop, batch)), strict=True):
            fall += np.float32(before - logit) * mask
            coverage += mask
    smooth = cv2.GaussianBlur(fall / coverage, (0, 0), side / 4)
    return _above_mean(smooth, size)


def _above_mean(values: Heat, size: int) -> Heat:
    """Enlarge a small map to ``size`` px, without values below its mean."""
    large = _resized(np.maximum(values, 0), size)
    return np.maximum(large - large.mean(), 0)


def _resized(heat: Heat, size: int) -> Heat:
    # Cubic interpolation of a 4×4 map overshoots below zero.
    return np.maximum(cv2.resize(heat, (size, size), interpolation=cv2.INTER_CUBIC), 0)

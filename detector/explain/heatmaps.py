"""Explain the score of a peak frame by heatmaps, and verify them by hiding what they highlight."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends.explaining import CamGraph, PatchGraphs
from detector.explain.hiding import Mask, hide_each, logits_without, moved
from detector.faces.crop import CropSquare
from detector.media.frame import Image
from detector.schema.analysis import RANDOM_AREAS, USUAL_AREAS, Box, HideAndRescore, MapMethod
from detector.scoring.fusion import DecidingCrop, Explainable, SeenCrop
from detector.scoring.scorer import Scorer

if TYPE_CHECKING:
    from detector.networks.base import Network


Heat = NDArray[np.float32]  # (size, size); not negative where it is shown
CropLogits = Callable[[Sequence[Image]], NDArray[np.float64]]

HIDDEN_AREA = 0.15
# How much farther the logit must fall without the hottest area than without others: by half a logit, and by
# twice the standard deviation over random areas. It must also fall farther than without the middle of the
# square. Maps of other faces pass the first alone too often (docs/models.md).
_LEAST_MARGIN, _DEVIATIONS = 0.5, 2.0
# Random areas of all maps of one photograph; the fewest of one of these.
_MOST_AREAS, _LEAST_AREAS = 16, 2


def random_area_numbers(number: int, faces: int) -> tuple[int, ...]:
    """Return the numbers of the random areas for check ``number`` if ``faces`` faces are explained.

    Each area costs one more crop of the slowest network, so the areas are distributed over the faces of one
    photograph in turn.
    """
    count = min(USUAL_AREAS, max(_LEAST_AREAS, _MOST_AREAS // max(1, faces)))
    return tuple((number * count + area) % RANDOM_AREAS for area in range(count))


def occlusion_check(
    scorer: Scorer,
    face: Explainable,
    heat: Heat,
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> HideAndRescore:
    """Hide the hottest 15 % of ``face``, and for comparison the same shape in random areas.

    ``areas`` are the numbers of the random areas (:func:`random_area_numbers`).
    """
    return check_maps(scorer, face, [heat], seed, areas)[0]


def check_maps(
    scorer: Scorer,
    face: Explainable,
    maps: Sequence[Heat],
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> list[HideAndRescore]:
    """Return the :func:`occlusion_check` of each of ``maps``, all compared with the first one's random areas.

    Values of ``maps`` may be negative; they need not have the size of a crop.
    """
    rng = np.random.default_rng(seed)
    masks = [
        hottest_part(heat, np.random.default_rng(seed) if number else rng) for number, heat in enumerate(maps)
    ]
    size = masks[0].shape[0]
    # Rolling wraps around the edge, so each random area has exactly the same size.
    moves = rng.integers(size // 8, size - size // 8, (RANDOM_AREAS, 2))
    random_masks = [np.roll(masks[0], tuple(map(int, move)), axis=(0, 1)) for move in moves[list(areas)]]
    middles = [] if face.fuse is None else [_middle(size)]
    logits = logits_without(face, [*masks, *middles, *random_masks])
    highlights, random_logits = logits[: len(masks)], logits[len(masks) + len(middles) :]
    middle = float(logits[len(masks)]) if middles else None
    margin = _LEAST_MARGIN
    if middles and len(random_logits) > 1:
        margin = max(margin, _DEVIATIONS * float(random_logits.std(ddof=1)))
    return [
        HideAndRescore(
            area=float(mask.mean()),
            probability=scorer.probability(face.logit),
            hidden_highlight=scorer.probability(float(logit)),
            hidden_random=float(np.mean([scorer.probability(float(other)) for other in random_logits])),
            drop_highlight=float(face.logit - logit),
            drop_random=float(face.logit - np.mean(random_logits)),
            areas=len(areas),
            margin=margin,
            hidden_middle=None if middle is None else scorer.probability(middle),
            drop_middle=None if middle is None else float(face.logit - middle),
        )
        for mask, logit in zip(masks, highlights, strict=True)
    ]


def _middle(size: int) -> Mask:
    """Return a disc of :data:`HIDDEN_AREA` in the middle of (size, size)."""
    away = np.arange(size) + 0.5 - size / 2
    disc = np.hypot(away[:, None], away) <= size * math.sqrt(HIDDEN_AREA / math.pi)
    return disc.astype(np.float32)


def hottest_part(heat: Heat, rng: np.random.Generator) -> Mask:
    """Return the mask of the hottest 15 % of ``heat`` (size, size)."""
    # Order equal values randomly, not from the top; in a map without heat all values are equal.
    order = np.lexsort((rng.random(heat.size), heat.ravel()))
    mask = np.zeros(heat.size, np.float32)
    mask[order[-round(HIDDEN_AREA * heat.size) :]] = 1
    return mask.reshape(heat.shape)


_TOKEN_BLUR = 0.7  # standard deviation of the blur of a transformer's map, in tokens
# Occlusion map: side of the hidden square as a share of the crop's; number of places across and down.
_HIDDEN_SIDE, _PLACES = 0.25, 8
_AT_ONCE = 16  # changed crops scored at once


@dataclass(frozen=True)
class Explained:
    """One peak frame's map in pixels of its largest crop, and its check.

    ``deciding`` are the crops that the map explains; empty for a single network. ``further`` are maps of the
    same face by other methods.
    """

    name: str
    square: CropSquare
    box: Box
    heat: Heat
    check: HideAndRescore | None
    method: MapMethod = MapMethod.GRAD_CAM
    deciding: tuple[DecidingCrop, ...] = ()
    altered: bool | None = None
    further: tuple[Explained, ...] = ()

    @property
    def all(self) -> tuple[Explained, ...]:
        """This map and the further ones."""
        return (self, *self.further)


def explain(
    scorer: Scorer,
    face: Explainable,
    name: str,
    box: Box,
    seed: int,
    areas: Sequence[int] = range(RANDOM_AREAS),
) -> Explained:
    """Compute maps and checks of ``face``, whose box in its frame is ``box``.

    If a network can be asked without some of its patches, there are a map of hidden parts and one by
    Grad-CAM. The former comes first, since hiding what it marks lowers the score more often, and it lies on
    replaced parts more often (docs/models.md).
    """
    gradient = heatmap_of(face)
    parts = hidden_parts_map(face)
    if parts is None:
        return Explained(
            name, face.square, box, gradient, occlusion_check(scorer, face, gradient, seed, areas)
        )
    shown = {
        MapMethod.HIDDEN_PARTS: (parts, _above_mean(parts, parts.shape[0]), "hidden-parts"),
        MapMethod.GRAD_CAM: (gradient, gradient, "grad-cam"),
    }
    checks = check_maps(scorer, face, [heat for heat, _, _ in shown.values()], seed, areas)
    first, second = (
        Explained(
            f"{name}-{shown[method][2]}" if number else name,
            face.square,
            box,
            shown[method][1],
            check,
            method,
            face.shown,
            face.altered,
        )
        for number, (method, check) in enumerate(zip(shown, checks, strict=True))
    )
    return replace(first, further=(second,))


def strengths(explained: Iterable[Explained]) -> dict[MapMethod, float]:
    """Return the highest value of all maps by each method; 1 if none has any heat."""
    highest: dict[MapMethod, float] = {}
    for heatmap in (heatmap for face_map in explained for heatmap in face_map.all):
        highest[heatmap.method] = max(highest.get(heatmap.method, 0.0), float(heatmap.heat.max()))
    return {method: value or 1.0 for method, value in highest.items()}


def shown_map(face: Explainable) -> Heat:
    """Return the map of ``face`` that is shown first: hidden parts, or :func:`heatmap_of` without them."""
    parts = hidden_parts_map(face)
    return heatmap_of(face) if parts is None else _above_mean(parts, parts.shape[0])


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
    network, size = seen_crop.network, seen_crop.crop.shape[0]
    assert network is not None
    if isinstance(network, PatchGraphs):
        return _of_tokens(seen_crop.look.cam, size)
    # Average with the mirror image; a transformer does not need it, because its maps combine many layers.
    both = [seen_crop.crop, seen_crop.crop[:, ::-1]]
    if isinstance(network, CamGraph):
        return _of_layers(network.maps(both), size)
    # Imported lazily: few files need explanations, and importing torch takes seconds.
    from detector.backends.torch import prepare_images
    from detector.explain.grad_cam import UnscaledGradCAM, UnscaledHiResCAM, limit_gradients, token_map

    crops = both[:1] if network.gives_tokens else both
    images = prepare_images(crops, seen_crop.input, next(network.parameters()).device)
    target = (
        (lambda logit: logit) if seen_crop.output is None else (lambda logits: logits[..., seen_crop.output])
    )
    method, places = (UnscaledHiResCAM, token_map) if network.gives_tokens else (UnscaledGradCAM, None)
    layers = network.cam_layers
    with limit_gradients(network.cam_starts), method(network, list(layers), reshape_transform=places) as cam:
        of_layers = cam(images, targets=[target] * len(crops))
    return (
        _of_tokens(of_layers[:, 0].sum(axis=0), size) if network.gives_tokens else _of_layers(of_layers, size)
    )


def _of_tokens(shares: Heat, size: int) -> Heat:
    """Return the map of a transformer, from the shares (p, p) of its tokens."""
    # Single tokens stand out by chance, so smooth the map.
    smooth = cv2.GaussianBlur(shares, (0, 0), _TOKEN_BLUR, borderType=cv2.BORDER_REPLICATE)
    return _above_mean(smooth, size)


def _of_layers(of_layers: Heat, size: int) -> Heat:
    """Return the map of a convolutional network, from (layers, 2, h, w) of a crop and its mirror image."""
    direct, back = np.maximum(of_layers, 0).swapaxes(0, 1)
    common = _in_common([_above_mean(layer_map, size) for layer_map in (direct + back[..., ::-1]) / 2])
    return _above_mean(common, size)


def _in_common(maps: Sequence[Heat]) -> Heat:
    """Return the geometric mean of ``maps``; the first map if the mean is zero everywhere."""
    common: Heat = np.prod(maps, axis=0) ** np.float32(1 / len(maps))
    return common if common.any() else maps[0]


_PART_BLUR = 1.0  # standard deviation of the blur of a map of hidden patches, in patches
_SCAN_PLACES = 5  # places across and down at which a part of the scan's small crop is hidden


def hidden_parts_map(face: Explainable) -> Heat | None:
    """Return how far the fused logit falls for each pixel hidden, to first order: (size, size).

    None if no deciding network can leave patches out. Negative where hiding raises the logit. The maps of
    several networks are added, since each states the fall of the same logit.
    """
    if not any(
        decider.seen.network is not None and decider.seen.network.drops_patches for decider in face.deciding
    ):
        return None
    size = max(decider.seen.crop.shape[0] for decider in face.shown)
    total = np.zeros((size, size), np.float32)
    for decider in face.shown:
        own = decider.seen.crop.shape[0]
        network = decider.seen.network
        if network is not None and network.drops_patches:
            falls = _enlarged_patches(_patch_falls(decider), own)
        else:
            falls = _falls_where_hidden(decider.seen.crop, decider.output_logits, _SCAN_PLACES)
        # Values are for each pixel, so they change with the size of a pixel.
        pixel = (face.square.side / size) / (decider.square.side / own)
        total += np.float32(decider.slope * pixel**2) * moved(falls, decider.square, face.square, size)
    return total


def _patch_falls(decider: DecidingCrop) -> Heat:
    """Return the derivative of the deciding output by how much each patch counts: (p, p).

    How much a patch counts is its weight in attention and in pooling; at weight 0 it is left out.
    """
    if isinstance(decider.seen.network, PatchGraphs):
        return decider.seen.look.falls
    import torch

    network, output = cast("Network", decider.seen.network), decider.seen.output
    assert output is not None
    weights = torch.ones(decider.tokens.shape[:2], device=decider.tokens.device, requires_grad=True)
    logit = network.score_patches(decider.tokens, (output,), weights)[0, output]
    (falls,) = torch.autograd.grad(logit, weights)
    side = math.isqrt(falls.shape[1] - 1)
    values: Heat = falls[0, 1:].reshape(side, side).cpu().numpy()
    return values


def _enlarged_patches(falls: Heat, size: int) -> Heat:
    """Smooth the falls of patches (p, p), and distribute them over the pixels of a crop."""
    smooth = cv2.GaussianBlur(falls, (0, 0), _PART_BLUR, borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(smooth, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large * np.float32((falls.shape[0] / size) ** 2), np.float32)


def occlusion_map(crop: Image, logits: CropLogits) -> Heat:
    """Return the fall of the logit of ``crop`` when each part of it is hidden.

    Squares of a quarter of the side are hidden at :data:`_PLACES` places across and down. The value of a
    pixel is the mean fall over the squares that cover it.
    """
    side = round(crop.shape[0] * _HIDDEN_SIDE)
    falls = _falls_where_hidden(crop, logits, _PLACES)
    return _above_mean(falls * np.float32(side**2), crop.shape[0])


def _falls_where_hidden(crop: Image, logits: CropLogits, places: int) -> Heat:
    """Return the smoothed fall of the logit for each pixel hidden: (size, size)."""
    size = crop.shape[0]
    side = round(size * _HIDDEN_SIDE)
    starts = np.linspace(0, size - side, places).round().astype(int).tolist()
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
    return cv2.GaussianBlur(fall / coverage, (0, 0), side / 4) / np.float32(side**2)


def _above_mean(values: Heat, size: int) -> Heat:
    """Enlarge a small map to ``size`` px, without values below its mean."""
    large = _resized(np.maximum(values, 0), size)
    return np.maximum(large - large.mean(), 0)


def _resized(heat: Heat, size: int) -> Heat:
    # Cubic interpolation of a 4×4 map overshoots below zero.
    return np.maximum(cv2.resize(heat, (size, size), interpolation=cv2.INTER_CUBIC), 0)

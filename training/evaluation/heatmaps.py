"""Measure whether heatmaps show where a face was blended, and compare heatmap methods."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from torch import nn
from torch.nn.functional import interpolate

from detector.explain.heatmaps import heatmap_of, maps_of_crops, shown_map
from detector.faces.crop import INNER, CropSquare, crop_square, square_for_face
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from detector.networks.base import Network
from detector.networks.graphs import ALTERED, outputs_of
from detector.progress import ReportText
from detector.scoring.fusion import (
    SCAN,
    SECOND_NETWORK,
    DecidingCrop,
    Explainable,
    Fusion,
    SeenCrop,
)
from detector.scoring.scorer import Scorer, run_in_batches
from training.data.labelled_sets import open_zip
from training.synthesis.blending import self_blend

Maps = NDArray[np.float32]  # (n, size, size), not negative

METHODS = {
    "Grad-CAM": GradCAM,
    "Grad-CAM++": GradCAMPlusPlus,
    "HiResCAM": HiResCAM,
    "LayerCAM": LayerCAM,
    "Eigen-CAM": EigenCAM,
}
ENGINE, OWN = "engine (detector.explain.heatmaps)", "the network's own map"
_MOST_CHANNELS = 512  # Eigen-CAM's decomposition of wider layers takes seconds a face
_BATCH = 25


def all_maps(
    scorer: Scorer, crops: Sequence[Image], methods: Sequence[str]
) -> Iterator[tuple[str, str, Maps]]:
    """Yield method, layer and maps of ``crops``: the engine's own, then each method at each layer."""
    yield ENGINE, "", np.stack([m for batch in batches(crops) for m in maps_of_crops(scorer, list(batch))])
    own = _own_maps(scorer, crops)
    if own is not None:
        yield OWN, "", own
    yield from cam_maps(scorer, crops, methods, layers(scorer.network))


def cam_maps(
    scorer: Scorer, crops: Sequence[Image], methods: Sequence[str], places: dict[str, nn.Module]
) -> Iterator[tuple[str, str, Maps]]:
    """Yield unscaled maps of the logit by each method at each layer, at the crops' size.

    All share one forward and one backward pass of the network.
    """
    size = crops[0].shape[0]
    by_method: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    makers = {name: METHODS[name](scorer.network, []) for name in methods}
    for batch in batches(crops):
        images = scorer.tensor(batch).requires_grad_(True)
        recorder = ActivationsAndGradients(scorer.network, list(places.values()), None)
        recorder(images).sum().backward()
        activations, gradients = list(recorder.activations), list(recorder.gradients)
        recorder.release()
        for place, (name, layer) in enumerate(places.items()):
            values, slopes = activations[place].numpy(), gradients[place].numpy()
            for method, maker in makers.items():
                if method == "Eigen-CAM" and values.shape[1] > _MOST_CHANNELS:
                    continue
                image = maker.get_cam_image(images, layer, [], values, slopes, False)
                by_method.setdefault((method, name), []).extend(
                    _enlarge(np.maximum(m, 0).astype(np.float32), size) for m in image
                )
    for (method, name), maps in by_method.items():
        yield method, name, np.stack(maps)


def random_maps(count: int, size: int, seed: int = 0) -> Maps:
    """Return smooth random hills of 4×4 places, like an uninformed map of the last layer."""
    rng = np.random.default_rng(seed)
    return np.stack([_enlarge(rng.random((4, 4)).astype(np.float32), size) for _ in range(count)])


def centre_maps(count: int, size: int) -> Maps:
    """Return a hill in the middle: a map that knows where faces lie, but nothing of this one."""
    away = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    hill = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 0.2**2))
    return np.repeat(hill[None], count, axis=0)


def layers(network: Network) -> dict[str, nn.Module]:
    """Return the layers of ``network`` that maps are drawn from, by name, from early to late."""
    modules = dict(network.named_modules())
    stages = {name: module for name, module in modules.items() if _is_stage(name)}
    if "backbone.conv_head" in modules:
        # The last convolution before pooling, where HiResCAM is exact for a linear head.
        stages["backbone.bn2"] = modules["backbone.bn2"]
    return stages


def _own_maps(scorer: Scorer, crops: Sequence[Image]) -> Maps | None:
    """Return where the network itself places its logit, if its architecture supports that."""
    size = crops[0].shape[0]
    out: list[NDArray[np.float32]] = []
    try:
        for batch in batches(crops):
            with torch.inference_mode():
                _, local = scorer.network.forward_local(scorer.tensor(batch))
            out += [_enlarge(np.maximum(m, 0), size) for m in local.float().cpu().numpy()]
    except AttributeError:
        return None
    return np.stack(out)


def _is_stage(name: str) -> bool:
    """Match names such as ``backbone.blocks.4`` and ``backbone.layer3``; early stages see no shapes yet."""
    parts = name.split(".")
    if len(parts) == 3 and parts[1] == "blocks":
        return int(parts[2]) >= 2
    return len(parts) == 2 and parts[1] in {"layer2", "layer3", "layer4"}


def _enlarge(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    # Cubic interpolation of a 4×4 map overshoots below zero.
    large: NDArray[np.float32] = np.maximum(
        cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC), np.float32(0)
    )
    return large


def batches(crops: Sequence[Image]) -> Iterator[Sequence[Image]]:
    """Split ``crops`` into batches that fit into memory."""
    for start in range(0, len(crops), _BATCH):
        yield crops[start : start + _BATCH]


FACES = 150
TOGETHER = "engine, together with the second look: hidden parts"
TOGETHER_CAM = "engine, together with the second look: Grad-CAM and HiResCAM"
RANDOM, CENTRE, PERFECT = "random map", "hill at the centre", "perfect map (the mask)"
_ON_CARDS = {
    ENGINE: "heatmaps",
    TOGETHER: "heatmaps of scan and second look together",
    RANDOM: "random maps",
    PERFECT: "perfect maps",
}
_REMOVED = (0.1, 0.3)  # shares of the pixels that ROAD removes
_ROAD_SIZE = 64  # px; imputing at the crop's own size takes ten times as long
_ROAD_FACES = 24
_PAD = 64  # px around a photo, without which CenterFace misses faces that fill it
_INSIDE = 0.5  # share of the mask's highest value from which a pixel counts as blended


@dataclass(frozen=True)
class BlendedCrops:
    """Crops of self-blended faces with masks of the blends (n, size, size)."""

    crops: list[Image]
    masks: NDArray[np.bool_]


def blended_faces(archive: Path, size: int, count: int = FACES) -> BlendedCrops:
    """Self-blend ``count`` LFW photographs of ``photos-real.zip``, with seeds 0, 1, 2 …"""
    detector = FaceDetector(0.5)
    crops, masks = [], []
    with open_zip(archive) as photos:
        names = sorted(n for n in photos.namelist() if n.startswith("lfw/") and n.endswith(".jpg"))
        for seed, number in enumerate(np.linspace(0, len(names) - 1, count).astype(int)):
            image = decode_jpeg(photos.read(names[number]))
            image = cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
            faces = detector(image)
            if not faces:
                continue
            face = max(faces, key=lambda f: f.width)
            blend = self_blend(image, face.landmarks, np.random.default_rng(seed))
            square = square_for_face(face)
            crops.append(crop_square(blend.image, square, size))
            mask = np.repeat((255 * blend.mask / blend.mask.max()).astype(np.uint8)[..., None], 3, axis=2)
            masks.append(crop_square(mask, square, size)[..., 0] > 255 * _INSIDE)
    return BlendedCrops(crops, np.array(masks))


def together_maps(
    scorer: Scorer, crops: Sequence[Image], archive: Path, count: int
) -> Iterator[tuple[str, Maps]]:
    """Yield the engine's maps where the scan and the second look's inner face decide together, by method.

    They have the size of ``crops``, which are those of :func:`blended_faces`.
    """
    second, card, size = scorer.loaded.second_look, scorer.card.second_look, scorer.card.input.size
    assert second is not None and card is not None
    fusion = Fusion.of(card)
    slopes = dict(zip(fusion.altered.columns, fusion.altered.weight / fusion.altered.spread, strict=True))
    run = partial(run_in_batches, Scorer(second).backend, batch=1)
    square, outputs = CropSquare(0, 0, 1, 0), outputs_of(INNER)
    gradient: list[NDArray[np.float32]] = []
    hidden: list[NDArray[np.float32]] = []
    for crop, larger in zip(crops, blended_faces(archive, second.card.input.size, count).crops, strict=True):
        seen = (
            SeenCrop(crop, scorer.network, scorer.card.input),
            SeenCrop(larger, second.network, second.card.input, outputs[ALTERED]),
        )
        face = Explainable(
            square,
            seen,
            0.0,
            lambda changed: np.zeros(len(changed[0])),
            (
                DecidingCrop(
                    seen[0],
                    square,
                    None,
                    lambda given: scorer.logits(given)[:, None],
                    np.zeros((1, 1)),
                    float(fusion.within * slopes[SCAN]),
                    0.5,
                    True,
                    INNER,
                ),
                DecidingCrop(
                    seen[1],
                    square,
                    outputs,
                    lambda given: run(given)[:, outputs],
                    np.zeros((1, len(outputs))),
                    float(slopes[SECOND_NETWORK.start]),
                    0.5,
                    False,
                    INNER,
                ),
            ),
        )
        for maps, heat in ((gradient, heatmap_of(face)), (hidden, shown_map(face))):
            maps.append(cv2.resize(heat, (size, size), interpolation=cv2.INTER_AREA))
    yield TOGETHER, np.stack(hidden)
    yield TOGETHER_CAM, np.stack(gradient)


def energy_ratios(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each map's share of energy inside its mask, relative to the mask's share of the crop (n,).

    A uniform map has 1, as has an empty one; the maximum is one over the mask's share.
    """
    area = masks.mean(axis=(1, 2))
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * masks).sum(axis=(1, 2), dtype=np.float64)
    share = np.where(total > 0, inside / np.maximum(total, 1e-12), area)
    ratios: NDArray[np.float64] = share / np.maximum(area, 1e-12)
    return ratios


def pointing_hits(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each map's hottest pixels that lies in its mask (n,).

    This is the pointing game (Zhang et al., 2018), without a full hit for uniform maps.
    """
    hottest = maps >= maps.max(axis=(1, 2), keepdims=True)
    hits: NDArray[np.float64] = (hottest & masks).sum(axis=(1, 2)) / hottest.sum(axis=(1, 2))
    return hits


def road(scorer: Scorer, crops: Sequence[Image], maps: Maps, seed: int = 0) -> NDArray[np.float64]:
    """Return the logit without the least relevant pixels minus that without the most relevant (n,).

    This is ROAD (Rong et al., ICML 2022), averaged over removing 10 and 30 %; more is better, and an
    uninformed map has 0. Removed pixels are imputed at 64 px and enlarged; the others are untouched.
    """
    torch.manual_seed(seed)
    impute = NoisyLinearImputer()
    # Equal values, as in a map without any heat, are removed in random order.
    ties = np.random.default_rng(seed)
    out = []
    for crop, heat in zip(crops, maps, strict=True):
        image = scorer.tensor([crop]).contiguous().cpu()
        small = interpolate(image, size=(_ROAD_SIZE, _ROAD_SIZE), mode="area")[0]
        coarse = cv2.resize(heat, (_ROAD_SIZE, _ROAD_SIZE), interpolation=cv2.INTER_AREA)
        order = np.lexsort((ties.random(coarse.size), coarse.ravel()))
        altered = []
        for share in _REMOVED:
            count = round(share * coarse.size)
            for removed in (order[:count], order[-count:]):
                mask = torch.ones(coarse.size)
                mask[removed] = 0
                mask = mask.reshape(1, 1, _ROAD_SIZE, _ROAD_SIZE)
                # The package hands tensors to NumPy in a way that NumPy 2 deprecates.
                with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                    imputed = impute(small, mask[0, 0])[None]
                filled = interpolate(imputed, size=heat.shape, mode="bilinear")
                mask = interpolate(mask, size=heat.shape)
                altered.append(image * mask + filled * (1 - mask))
        with torch.inference_mode():
            batch = torch.cat(altered).to(scorer.device).contiguous(memory_format=torch.channels_last)
            logits = scorer.network(batch).double().cpu().numpy().reshape(-1, 2)
        out.append(float((logits[:, 0] - logits[:, 1]).mean()))
    return np.array(out)


def measure_maps(
    archive: Path,
    scorer: Scorer,
    report: ReportText,
    count: int = FACES,
    methods: Sequence[str] = tuple(METHODS),
) -> list[dict[str, Any]]:
    """Return one row per method and layer, the engine's first, then references: random, centred, perfect.

    ``energy`` is over all faces, ``energy, found`` over those to which the model gives 0.5 or more; only
    these are explained in use. ROAD is over the first two dozen.
    """
    faces = blended_faces(archive, scorer.card.input.size, count)
    logits = np.concatenate([scorer.logits(some) for some in batches(faces.crops)])
    flagged = logits >= 0
    few = slice(0, _ROAD_FACES)
    rows = []
    size = scorer.card.input.size

    def row(method: str, layer: str, maps: Maps) -> dict[str, Any]:
        ratios, hits = energy_ratios(maps, faces.masks), pointing_hits(maps, faces.masks)
        return {
            "method": method,
            "layer": layer,
            "pointing": _mean(hits),
            "energy": _mean(ratios),
            "pointing, found": _mean(hits[flagged]),
            "energy, found": _mean(ratios[flagged]),
            "ROAD": _mean(road(scorer, faces.crops[few], maps[few])),
            "faces": len(hits),
            "faces found": int(flagged.sum()),
        }

    for method, layer, maps in all_maps(scorer, faces.crops, methods):
        report(f"{method} {layer}")
        rows.append(row(method, layer, maps))
    if scorer.loaded.second_look is not None:
        for method, maps in together_maps(scorer, faces.crops, archive, count):
            report(method)
            rows.append(row(method, "", maps))
    rows.append(row(RANDOM, "", random_maps(len(faces.crops), size)))
    rows.append(row(CENTRE, "", centre_maps(len(faces.crops), size)))
    rows.append(row(PERFECT, "", faces.masks.astype(np.float32)))
    return rows


def card_figures(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the figures for the card from the rows of :func:`measure_maps`."""
    figures = {}
    for row in rows:
        if name := _ON_CARDS.get(row["method"]):
            energy = f"self-blended faces, energy of {name} inside the mask against an even map"
            figures[energy] = float(row["energy"] or 0)
            if row["method"] in (ENGINE, TOGETHER):
                hits = f"self-blended faces, pointing-game hits of {name}"
                figures[hits] = float(row["pointing"] or 0)
    return figures


def _mean(values: NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None

"""Do heatmaps show where a face was blended? Measured on self-blended faces, whose mask is known.

Three figures for each method and layer, each beside a random map: the pointing game (Zhang
et al., 2018: does the hottest place lie in the mask?), the share of the map's energy inside
the mask over the share of the crop that the mask covers, and ROAD (Rong et al., ICML 2022):
the logit after removing the least relevant pixels minus the logit after removing the most
relevant ones, pixels being removed by noisy linear imputation.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam.metrics.road import NoisyLinearImputer
from torch.nn.functional import interpolate

from detector.explain.heatmaps import joined_map
from detector.faces.crop import crop_square, square_for_face
from detector.faces.patch import decode
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.progress import ReportText
from detector.scoring.explainable import SeenCrop
from detector.scoring.scorer import Scorer
from detector.training.data.labelled_sets import opened_zip
from detector.training.evaluation.figures.heatmap_methods import (
    ENGINE,
    METHODS,
    Maps,
    all_maps,
    batches,
    centre_maps,
    random_maps,
)
from detector.training.synthesis.blending import self_blend

FACES = 150
TOGETHER = "engine, together with the second look"
RANDOM, CENTRE, PERFECT = "random map", "hill at the centre", "perfect map (the mask)"
_ON_CARDS = {
    ENGINE: "heatmaps",
    TOGETHER: "heatmaps of scan and second look together",
    RANDOM: "random maps",
    PERFECT: "perfect maps",
}
_INNER_ALTERED = 0  # of the second look's outputs
_REMOVED = (0.1, 0.3)  # shares of the pixels that ROAD takes away
_ROAD_SIZE = 64  # px; solving for the removed pixels at the crop's own size takes ten times as long
_ROAD_FACES = 24
_PAD = 64  # px around a photo, without which CenterFace misses faces that fill it
_INSIDE = 0.5  # of the mask's highest value, from where on a pixel counts as blended


@dataclass(frozen=True)
class BlendedCrops:
    """Crops of self-blended faces, each with its mask of what was blended (n, size, size)."""

    crops: list[Image]
    masks: NDArray[np.bool_]


def blended_faces(archive: Path, size: int, count: int = FACES) -> BlendedCrops:
    """``count`` LFW photographs out of ``photos-real.zip``, self-blended with seeds 0, 1, 2 …"""
    detector = FaceDetector(0.5)
    crops, masks = [], []
    with opened_zip(archive) as photos:
        names = sorted(n for n in photos.namelist() if n.startswith("lfw/") and n.endswith(".jpg"))
        for seed, number in enumerate(np.linspace(0, len(names) - 1, count).astype(int)):
            image = decode(photos.read(names[number]))
            image = cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
            found = detector(image)
            if not found:
                continue
            face = max(found, key=lambda f: f.width)
            blend = self_blend(image, face.landmarks, np.random.default_rng(seed))
            square = square_for_face(face)
            crops.append(crop_square(blend.image, square, size))
            mask = np.repeat((255 * blend.mask / blend.mask.max()).astype(np.uint8)[..., None], 3, axis=2)
            masks.append(crop_square(mask, square, size)[..., 0] > 255 * _INSIDE)
    return BlendedCrops(crops, np.array(masks))


def together_maps(scorer: Scorer, crops: Sequence[Image], archive: Path, count: int) -> Maps:
    """What the engine shows where the scan and the second look's inner face decide together.

    At the size of ``crops``, those of :func:`blended_faces`; it makes the second look's larger ones too.
    """
    second, size = scorer.loaded.second_look, scorer.card.input.size
    assert second is not None
    maps = []
    for crop, larger in zip(crops, blended_faces(archive, second.card.input.size, count).crops, strict=True):
        seen = (
            SeenCrop(crop, scorer.network, scorer.card.input),
            SeenCrop(larger, second.network, second.card.input, _INNER_ALTERED),
        )
        maps.append(cv2.resize(joined_map(seen), (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(maps)


def energy_ratios(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each map's energy inside its mask over the share of the crop the mask covers (n,).

    1 is what a uniform map has; one over the mask's share is the most there can be. An
    empty map counts as a uniform one.
    """
    area = masks.mean(axis=(1, 2))
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = (maps * masks).sum(axis=(1, 2), dtype=np.float64)
    share = np.where(total > 0, inside / np.maximum(total, 1e-12), area)
    ratios: NDArray[np.float64] = share / np.maximum(area, 1e-12)
    return ratios


def pointing_hits(maps: Maps, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each map's hottest pixels that lies in its mask (n,); an even map has no right to a hit."""
    hottest = maps >= maps.max(axis=(1, 2), keepdims=True)
    hits: NDArray[np.float64] = (hottest & masks).sum(axis=(1, 2)) / hottest.sum(axis=(1, 2))
    return hits


def road(scorer: Scorer, crops: Sequence[Image], maps: Maps, seed: int = 0) -> NDArray[np.float64]:
    """Logit without the least relevant pixels minus logit without the most relevant, (n,).

    The mean over removing 10 and 30 %; more is better, a map without knowledge has 0. What
    is removed is imputed at 64 px and enlarged; the pixels that stay are untouched.
    """
    torch.manual_seed(seed)
    impute = NoisyLinearImputer()
    # Equal values, as in a map without any heat, go in random order.
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
            for gone in (order[:count], order[-count:]):
                kept = torch.ones(coarse.size)
                kept[gone] = 0
                kept = kept.reshape(1, 1, _ROAD_SIZE, _ROAD_SIZE)
                # The package hands tensors to NumPy in a way that NumPy 2 warns of.
                with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                    imputed = impute(small, kept[0, 0])[None]
                filled = interpolate(imputed, size=heat.shape, mode="bilinear")
                stays = interpolate(kept, size=heat.shape)
                altered.append(image * stays + filled * (1 - stays))
        with torch.inference_mode():
            batch = torch.cat(altered).to(scorer.device).contiguous(memory_format=torch.channels_last)
            logits = scorer.network(batch).double().cpu().numpy().reshape(-1, 2)
        out.append(float((logits[:, 0] - logits[:, 1]).mean()))
    return np.array(out)


def explanation(
    archive: Path,
    scorer: Scorer,
    report: ReportText,
    count: int = FACES,
    methods: Sequence[str] = tuple(METHODS),
) -> list[dict[str, Any]]:
    """One row a method and layer, the engine's first, then references: random, centred, perfect.

    ``energy`` is over all faces, ``energy, found`` over those the model gives 0.5 or more,
    which are the ones that get explained; ROAD is over the first two dozen of all.
    """
    faces = blended_faces(archive, scorer.card.input.size, count)
    logits = np.concatenate([scorer.logits(some) for some in batches(faces.crops)])
    found = logits >= 0
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
            "pointing, found": _mean(hits[found]),
            "energy, found": _mean(ratios[found]),
            "ROAD": _mean(road(scorer, faces.crops[few], maps[few])),
            "faces": len(hits),
            "faces found": int(found.sum()),
        }

    for method, layer, maps in all_maps(scorer, faces.crops, methods):
        report(f"{method} {layer}")
        rows.append(row(method, layer, maps))
    if scorer.loaded.second_look is not None:
        report(TOGETHER)
        rows.append(row(TOGETHER, "", together_maps(scorer, faces.crops, archive, count)))
    rows.append(row(RANDOM, "", random_maps(len(faces.crops), size)))
    rows.append(row(CENTRE, "", centre_maps(len(faces.crops), size)))
    rows.append(row(PERFECT, "", faces.masks.astype(np.float32)))
    return rows


def figures_of(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """What a card states of the rows that :func:`explanation` gives."""
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

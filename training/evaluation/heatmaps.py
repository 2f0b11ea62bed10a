"""Measure whether heatmaps show where a face was blended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import heatmap_of, maps_of_crops, shown_map
from detector.faces.crop import INNER, CropSquare, crop_square, square_for_face
from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
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

ENGINE = "engine (detector.explain.heatmaps)"
_BATCH = 25


def random_maps(count: int, size: int, seed: int = 0) -> Maps:
    """Return smooth random hills of 4×4 places, like an uninformed map of the last layer."""
    rng = np.random.default_rng(seed)
    return np.stack([_enlarge(rng.random((4, 4)).astype(np.float32), size) for _ in range(count)])


def centre_maps(count: int, size: int) -> Maps:
    """Return a hill in the middle: a map that knows where faces lie, but nothing of this one."""
    away = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    hill = np.exp(-(away[:, None] ** 2 + away**2) / (2 * 0.2**2))
    return np.repeat(hill[None], count, axis=0)


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


def measure_maps(
    archive: Path,
    scorer: Scorer,
    report: ReportText,
    count: int = FACES,
) -> list[dict[str, Any]]:
    """Return one row per method, the engine's first, then references: random, centred, perfect.

    ``energy`` is over all faces, ``energy, found`` over those to which the model gives 0.5 or more; only
    these are explained in use.
    """
    faces = blended_faces(archive, scorer.card.input.size, count)
    logits = np.concatenate([scorer.logits(some) for some in batches(faces.crops)])
    flagged = logits >= 0
    rows = []
    size = scorer.card.input.size

    def row(method: str, maps: Maps) -> dict[str, Any]:
        ratios, hits = energy_ratios(maps, faces.masks), pointing_hits(maps, faces.masks)
        return {
            "method": method,
            "pointing": _mean(hits),
            "energy": _mean(ratios),
            "pointing, found": _mean(hits[flagged]),
            "energy, found": _mean(ratios[flagged]),
            "faces": len(hits),
            "faces found": int(flagged.sum()),
        }

    own = [heat for batch in batches(faces.crops) for heat in maps_of_crops(scorer, list(batch))]
    rows.append(row(ENGINE, np.stack(own)))
    if scorer.loaded.second_look is not None:
        for method, maps in together_maps(scorer, faces.crops, archive, count):
            report(method)
            rows.append(row(method, maps))
    rows.append(row(RANDOM, random_maps(len(faces.crops), size)))
    rows.append(row(CENTRE, centre_maps(len(faces.crops), size)))
    rows.append(row(PERFECT, faces.masks.astype(np.float32)))
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

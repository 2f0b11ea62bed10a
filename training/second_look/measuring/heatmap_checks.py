"""Measure whether heatmaps of composites mark the replaced parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import heatmap_of, shown_map
from detector.faces.crop import CropSquare, Face, roll
from detector.faces.detections import Detection
from detector.faces.patch import cut_photo_patch, decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.faces.windows import cut_windows
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.moments import KeptMoment
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker
from training.data.research_faces import read_csv
from training.second_look.examples.patches import COMPOSITE, TRAIN, load

_ALL = "1111"
_RADIUS = {"eye": 0.35, "nose": 0.35, "mouth": 0.45}  # of the distance between the eyes
_PART_NAMES = ("eye", "eye", "nose", "mouth")  # of the digits of `parts`: left eye, right eye, nose, mouth
_LEAST_CONFIDENCE = 0.4

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CompositeMap:
    """A composite's map (s, s), the places of its four parts (4, s, s), and flags of the replaced ones."""

    heat: NDArray[np.float32]
    places: Mask
    replaced: tuple[bool, ...]

    def on(self, replaced: Sequence[bool]) -> Mask:
        """Return the mask of these parts."""
        return np.asarray(self.places[list(replaced)].any(axis=0))

    def hit(self, replaced: Sequence[bool]) -> bool:
        """Return whether the hottest place lies on these parts."""
        return bool(self.on(replaced).flat[int(self.heat.argmax())])

    def energy(self, replaced: Sequence[bool]) -> float:
        """Return the heat on these parts, relative to an even map."""
        mask = self.on(replaced)
        return float(self.heat[mask].sum() / max(self.heat.sum(), 1e-9) / max(mask.mean(), 1e-9))


def measure_composite_maps(data: Path, out: Path, model: LoadedModel, report: ReportText) -> dict[str, float]:
    """Measure hits and energy on partly replaced composites of roles ``val`` and ``test``.

    Both methods are measured. The references are the area of the parts, and the parts replaced in other
    composites, since networks attend to eyes and mouths anyway.
    """
    parts = {row["file"]: row["parts"] for row in read_csv(data / "stills.csv")}
    detector = FaceDetector(_LEAST_CONFIDENCE)
    placed: list[tuple[CompositeMap, CompositeMap]] = []
    for patch in load(out, "stills"):
        if patch.family == COMPOSITE and patch.role != TRAIN and parts[patch.file] != _ALL:
            maps = maps_of(model, detector, decode_jpeg(patch.data), parts[patch.file])
            placed += [maps] if maps else []
    figures = {
        f"{method}, {name}": value
        for method, of_method in zip(("hidden parts", "Grad-CAM"), zip(*placed, strict=True), strict=True)
        for name, value in composite_figures(of_method).items()
    }
    for name, value in figures.items():
        report(f"{name}: {value:.3f}")
    return figures


def composite_figures(placed: Sequence[CompositeMap]) -> dict[str, float]:
    """Return shares of hits and energy on replaced parts, and on those replaced in other composites."""
    pairs = [
        (placed_map, other.replaced) for placed_map in placed for other in placed if other is not placed_map
    ]
    return {
        "composites": float(len(placed)),
        "hottest place on a replaced part": float(
            np.mean([placed_map.hit(placed_map.replaced) for placed_map in placed])
        ),
        "the same, parts replaced in the others": float(
            np.mean([placed_map.hit(which) for placed_map, which in pairs])
        ),
        "the same, by their area": float(
            np.mean([placed_map.on(placed_map.replaced).mean() for placed_map in placed])
        ),
        "energy on replaced parts": float(
            np.mean([placed_map.energy(placed_map.replaced) for placed_map in placed])
        ),
        "energy on parts replaced in the others": float(
            np.mean([placed_map.energy(which) for placed_map, which in pairs])
        ),
    }


def maps_of(
    model: LoadedModel, detector: FaceDetector, image: NDArray[np.uint8], parts: str
) -> tuple[CompositeMap, CompositeMap] | None:
    """Return the map that a report would show of a photograph's largest face, and that by Grad-CAM.

    None without a face.
    """
    face = max(detector(image), key=lambda face: face.width, default=None)
    if face is None:
        return None
    networks = BothNetworks.of(Scorer(model.alone, still=True), model)
    windows = cut_windows(image, face.box, still=True)
    moment = KeptMoment(0, 0.0, 0, cut_photo_patch(image, face.box), roll(face), windows)
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    peak = Detection(0, 0.0, 0, 0, usable=True, box=face.box, roll=roll(face), logit=0.0, smoothed=0.0)
    look = PersonLooker(networks).look([0], rows, [moment], 1)
    assert look is not None
    explainable = FusedScorer(networks, [look]).explainable(image, peak)
    replaced = tuple(digit == "1" for digit in parts)

    def placed(heat: NDArray[np.float32]) -> CompositeMap:
        places = np.stack([_place(face, number, explainable.square, heat.shape[0]) for number in range(4)])
        return CompositeMap(heat, places, replaced)

    return placed(shown_map(explainable)), placed(heatmap_of(explainable))


def _place(face: Face, number: int, square: CropSquare, size: int) -> Mask:
    """Return the mask of a part in the crop of ``square``, as a disc around its landmarks."""
    points = face.landmarks
    middle = points[3:].mean(axis=0) if _PART_NAMES[number] == "mouth" else points[number]
    between = float(np.linalg.norm(points[1] - points[0]))
    x, y = square.matrix(size) @ (*middle, 1.0)
    radius = _RADIUS[_PART_NAMES[number]] * between / square.side * size
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, (round(x), round(y)), round(radius), 1, -1)
    return mask > 0

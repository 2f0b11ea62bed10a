"""Check heatmaps: whether hiding their regions changes the answer, and whether they mark replaced parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.explain.heatmaps import heatmap_of, occlusion_check
from detector.faces.crop import HEAD, INNER, CropSquare, Face, roll
from detector.faces.detections import Detection
from detector.faces.patch import cut_photo_patch, decode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks.graphs import outputs_of
from detector.progress import ReportText
from detector.schema.analysis import HideAndRescore
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.fusion import Explainable, Fusion, SeenCrop
from detector.scoring.moments import KeptMoment
from detector.scoring.scorer import Scorer, run_in_batches
from detector.scoring.second_look import PersonLooker
from training.data.research_faces import read_csv
from training.second_look.examples.patches import COMPOSITE, TRAIN, Patch, load
from training.second_look.examples.sampling import plain_crop

MomentLogits = Callable[[Sequence[Sequence[Image]]], NDArray[np.float64]]

_BATCH = 8
_TOGETHER = "inner face, scan and transformer"
_FRAMING_NAMES = {INNER: "inner face", HEAD: "whole head"}


@dataclass(frozen=True)
class LogitDrops:
    """Drops of logits (n,) when the hottest part is hidden, and when other parts are."""

    hottest: NDArray[np.float64]
    elsewhere: NDArray[np.float64]

    def __str__(self) -> str:
        share = float(np.mean(self.hottest > self.elsewhere))
        return (
            f"{len(self.hottest)} maps: the logit falls by {self.hottest.mean():.2f} without the hottest "
            f"part, by {self.elsewhere.mean():.2f} without others; by more in {share:.0%}"
        )


def measure_heatmaps(out: Path, model: LoadedModel, every: int, report: ReportText) -> dict[str, LogitDrops]:
    """Measure drops by framing for every ``every``-th manipulated develop clip with patches below ``out``.

    In each framing the higher answer of the transformer is checked, and the altered half of the fusion, as in
    reports (:mod:`detector.explain`): the hottest 15 % are hidden, and as much elsewhere.
    """
    chosen = middle_patches(load(out, "clips"))[::every]
    falls = {}
    for framing, name in _FRAMING_NAMES.items():
        falls[name] = _drops([_check_framing(model, patch, framing) for patch in chosen])
    falls[_TOGETHER] = _drops([_check_together(model, patch) for patch in chosen])
    for name, fall in falls.items():
        report(f"{name}, {fall}")
    return falls


def middle_patches(patches: Sequence[Patch]) -> list[Patch]:
    """Return a patch from the middle of each manipulated develop clip."""
    by_clip: dict[str, list[Patch]] = {}
    for patch in patches:
        if patch.role == "develop" and patch.fake:
            by_clip.setdefault(patch.file, []).append(patch)
    return [of_clip[len(of_clip) // 2] for _, of_clip in sorted(by_clip.items())]


def _drops(checks: Sequence[HideAndRescore]) -> LogitDrops:
    return LogitDrops(
        np.array([check.drop_highlight for check in checks]),
        np.array([check.drop_random for check in checks]),
    )


def _check_framing(model: LoadedModel, patch: Patch, framing: int) -> HideAndRescore:
    second = model.second_look
    assert second is not None
    scorer = Scorer(second)
    size = second.card.input.size
    crop = plain_crop(patch, framing, size)
    run = partial(run_in_batches, scorer.backend, batch=_BATCH)
    outputs = outputs_of(framing)
    output = outputs[int(np.argmax(run([crop])[0, outputs]))]
    seen = SeenCrop(crop, second.network, second.card.input, output)
    return _check(model, (seen,), lambda changed: run(changed[0])[:, output])


def _check_together(model: LoadedModel, patch: Patch) -> HideAndRescore:
    scan, second, card = Scorer(model.alone), model.second_look, model.card.second_look
    assert second is not None and card is not None
    fusion, run = Fusion.of(card), partial(run_in_batches, Scorer(second).backend, batch=_BATCH)
    sides = scan.card.input.size, second.card.input.size
    crops = [plain_crop(patch, INNER, side) for side in sides]

    def altered(changed: Sequence[Sequence[Image]]) -> NDArray[np.float64]:
        inputs = np.tile(fusion.neutral, (len(changed[0]), 1))
        inputs[:, 0], inputs[:, 1] = scan.logits(changed[0]), run(changed[1])[:, 0]
        return fusion.altered.logit(inputs)

    seen = (
        SeenCrop(crops[0], scan.network, scan.card.input),
        SeenCrop(crops[1], second.network, second.card.input, 0),
    )
    return _check(model, seen, altered)


def _check(model: LoadedModel, seen: tuple[SeenCrop, ...], logits: MomentLogits) -> HideAndRescore:
    as_it_is = float(logits([[one.crop] for one in seen])[0])
    nowhere = CropSquare(0.0, 0.0, 1.0, 0.0)  # of no frame
    face = Explainable(nowhere, seen, as_it_is, logits)
    return occlusion_check(Scorer(model.alone), face, heatmap_of(face), seed=0)


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

    The references are the area of the parts, and the parts replaced in other composites, since networks
    attend to eyes and mouths anyway.
    """
    parts = {row["file"]: row["parts"] for row in read_csv(data / "stills.csv")}
    detector, placed = FaceDetector(_LEAST_CONFIDENCE), []
    for patch in load(out, "stills"):
        if patch.family == COMPOSITE and patch.role != TRAIN and parts[patch.file] != _ALL:
            found = map_of(model, detector, decode_jpeg(patch.data), parts[patch.file])
            placed += [found] if found else []
    figures = composite_figures(placed)
    for name, value in figures.items():
        report(f"{name}: {value:.3f}")
    return figures


def composite_figures(placed: Sequence[CompositeMap]) -> dict[str, float]:
    """Return shares of hits and energy on replaced parts, and on those replaced in other composites."""
    pairs = [(one, other.replaced) for one in placed for other in placed if other is not one]
    return {
        "composites": float(len(placed)),
        "hottest place on a replaced part": float(np.mean([one.hit(one.replaced) for one in placed])),
        "the same, parts replaced in the others": float(np.mean([one.hit(which) for one, which in pairs])),
        "the same, by their area": float(np.mean([one.on(one.replaced).mean() for one in placed])),
        "energy on replaced parts": float(np.mean([one.energy(one.replaced) for one in placed])),
        "energy on parts replaced in the others": float(np.mean([one.energy(which) for one, which in pairs])),
    }


def map_of(
    model: LoadedModel, detector: FaceDetector, image: NDArray[np.uint8], parts: str
) -> CompositeMap | None:
    """Return the map that a report would show of a photograph's largest face; None without a face."""
    face = max(detector(image), key=lambda face: face.width, default=None)
    if face is None:
        return None
    networks = BothNetworks.of(Scorer(model.alone, still=True), model)
    moment = KeptMoment(0, 0.0, 0, cut_photo_patch(image, face.box), roll(face))
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    peak = Detection(0, 0.0, 0, 0, usable=True, box=face.box, roll=roll(face), logit=0.0, smoothed=0.0)
    look = PersonLooker(networks).look([0], rows, [moment], 1)
    assert look is not None
    explainable = FusedScorer(networks, [look]).explainable(image, peak)
    heat = heatmap_of(explainable)
    places = np.stack([_place(face, number, explainable.square, heat.shape[0]) for number in range(4)])
    return CompositeMap(heat, places, tuple(digit == "1" for digit in parts))


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

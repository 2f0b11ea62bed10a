"""How often a verdict changes where the material stays the same: clips shifted, scaled and encoded again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detector.engine import analyze
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.training.evaluation.material.short_clips import ShortClip, read_short_clip, write_short_clip
from detector.training.second_look.fitting.exhibits import develop_clips

_SCALE = 0.9
_SHIFT = (1, 3)  # px: down and to the right


@dataclass(frozen=True)
class FrameChange:
    """What is done to every frame, and x264's rate factor afterwards."""

    name: str
    of: Callable[[Image], Image]
    crf: int = 12


def _same(image: Image) -> Image:
    return image


def _shifted(image: Image) -> Image:
    down, right = _SHIFT
    padded = cv2.copyMakeBorder(image, down, 0, right, 0, cv2.BORDER_REPLICATE)
    return padded[: image.shape[0], : image.shape[1]]


def _smaller(image: Image) -> Image:
    height, width = (round(side * _SCALE) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


CHANGES = (
    FrameChange("shifted by 1 and 3 px", _shifted),
    FrameChange("scaled by 0.9", _smaller),
    FrameChange("crf 23", _same, 23),
    FrameChange("crf 28", _same, 28),
)


def measure_stability(
    data: Path,
    model: LoadedModel,
    folder: Path,
    every: int,
    report: ReportText,
) -> dict[str, float]:
    """The share of changed copies of develop clips, every ``every``-th, whose verdict is another.

    Copies are written to ``folder`` one at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "changed.mp4"
    changed: dict[str, list[bool]] = {change.name: [] for change in CHANGES}
    for path, _ in develop_clips(data)[::every]:
        verdict = analyze(path, model=model).verdict
        film = read_short_clip(path)
        for change in CHANGES:
            pictures = [change.of(picture) for picture in film.frames]
            write_short_clip(ShortClip(pictures, film.rate), copy, change.crf, one_thread=True)
            again = analyze(copy, model=model).verdict
            changed[change.name].append(again is not verdict)
            if again is not verdict:
                report(f"{path.name}, {change.name}: {again}, before {verdict}")
    figures = {name: float(np.mean(each)) for name, each in changed.items()}
    figures["all"] = float(np.mean([one for each in changed.values() for one in each]))
    for name, share in figures.items():
        report(f"{name}: {share:.1%} of verdicts changed")
    return figures

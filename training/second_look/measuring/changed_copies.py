"""How often a changed copy of a clip gets another verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Verdict
from detector.schema.model import WHOLE_PROGRAM
from training.evaluation.short_clips import ShortClip, read_short_clip, write_short_clip
from training.second_look.fitting.exhibits import develop_clips
from training.second_look.measuring.stored_analyses import analyses_folder, stored_analysis

_SHIFT = 3  # px: down and to the right


@dataclass(frozen=True)
class FrameChange:
    """A change to every frame, and x264's rate factor afterwards."""

    name: str
    of: Callable[[Image], Image]
    crf: int = 12


def _same(image: Image) -> Image:
    return image


def _shifted(image: Image) -> Image:
    padded = cv2.copyMakeBorder(image, _SHIFT, 0, _SHIFT, 0, cv2.BORDER_REPLICATE)
    return padded[: image.shape[0], : image.shape[1]]


def _halved(image: Image) -> Image:
    height, width = (round(side / 2) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


CHANGES = (
    FrameChange("shifted by 3 px", _shifted),
    FrameChange("halved", _halved),
    FrameChange("crf 28", _same, 28),
)


@dataclass(frozen=True)
class ChangedVerdict:
    """Verdicts on a clip before and after a change."""

    change: str
    before: Verdict
    after: Verdict

    @property
    def is_turned_over(self) -> bool:
        """Whether the change led from a finding to none or from none to a finding."""
        return {self.before, self.after} == {Verdict.MANIPULATED, Verdict.NOT_FOUND}


def measure_stability(
    data: Path, model: LoadedModel, folder: Path, every: int, report: ReportText
) -> list[ChangedVerdict]:
    """Return verdicts on every ``every``-th develop clip and its changed copies.

    Analyses are stored below ``folder``, so that a run can be resumed, copies only while they are analysed.
    """
    analyses = analyses_folder(model, folder)
    results = []
    for path, _ in develop_clips(data)[::every]:
        before = stored_analysis(path, model, analyses).verdict
        film = None
        for change in CHANGES:
            copy = folder / f"{change.name}, {path.stem}.mp4"
            if not (analyses / f"{copy.name}.json").exists():
                film = film or read_short_clip(path)
                pictures = [change.of(picture) for picture in film.frames]
                write_short_clip(ShortClip(pictures, film.rate), copy, change.crf, one_thread=True)
            after = stored_analysis(copy, model, analyses).verdict
            copy.unlink(missing_ok=True)
            results.append(ChangedVerdict(change.name, before, after))
            if after is not before:
                report(f"{path.name}, {change.name}: {after}, before {before}")
    for name, value in stability_figures(results).items():
        report(f"{name}: {value:.3f}")
    return results


def stability_figures(results: Sequence[ChangedVerdict]) -> Mapping[str, float]:
    """Return figures of changed copies under the names of a card."""
    figures = {}
    for name in [change.name for change in CHANGES]:
        mine = [result for result in results if result.change == name]
        data = f"{WHOLE_PROGRAM}, {len(mine)} develop clips {name}"
        figures[f"{data}, verdict changed"] = _share(mine)
    data = f"{WHOLE_PROGRAM}, {len(results)} changed copies"
    figures[f"{data}, verdict changed"] = _share(results)
    figures[f"{data}, verdict turned over"] = sum(r.is_turned_over for r in results) / len(results)
    return figures


def _share(results: Sequence[ChangedVerdict]) -> float:
    return sum(result.after is not result.before for result in results) / len(results)

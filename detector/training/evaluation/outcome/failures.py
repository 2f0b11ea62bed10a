"""What a model got wrong, worst first: for a person to look through, and for fine-tuning on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from detector.faces.patch import decode
from detector.schema.analysis import Parameters, Verdict
from detector.training.evaluation.figures.metrics import Scored
from detector.training.evaluation.material.clips import Clip, write_thumbnail
from detector.training.evaluation.material.crops import EncodedCrop

# Thumbnails of so many wrongly judged crops a set are written.
_SHOWN = 60
_SIDE = 128


@dataclass(frozen=True)
class WrongJudgement:
    """One wrong judgement. ``data`` says which set it comes from: never fine-tune on test or develop."""

    path: str
    label: str
    probability: float | None
    group: str
    kind: str
    data: str
    generator: str = ""
    verdict: str = ""
    thumbnail: str | None = None

    @property
    def error(self) -> float:
        """Distance of the probability from the truth; of an inconclusive one, a half."""
        if self.probability is None:
            return 0.5
        return abs(self.probability - (self.label == "fake"))


def crop_failures(
    crops: Sequence[EncodedCrop], scored: Scored, parameters: Parameters, data: str, out: Path
) -> list[WrongJudgement]:
    """Crops on the wrong side of the entry threshold, worst first; the worst are written as thumbnails."""
    said = scored.probabilities >= parameters.enter_threshold
    wrong = [i for i in range(len(crops)) if said[i] != bool(crops[i].label)]
    wrong.sort(key=lambda i: -abs(scored.probabilities[i] - crops[i].label))
    failures = []
    for rank, i in enumerate(wrong):
        crop = crops[i]
        thumbnail = None
        if rank < _SHOWN:
            thumbnail = f"gallery/{data}-{rank:03}.jpg"
            image = cv2.resize(decode(crop.data), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            write_thumbnail(out / thumbnail, image)
        failures.append(
            WrongJudgement(
                path=crop.path,
                label="fake" if crop.label else "real",
                probability=round(float(scored.probabilities[i]), 4),
                group=crop.group,
                kind="crop",
                data=data,
                thumbnail=thumbnail,
            )
        )
    return failures


def clip_failures(clips: Sequence[Clip], data: str) -> list[WrongJudgement]:
    """Clips with a wrong verdict or none; thumbnails are where ``clips.analysed`` put them."""
    failures = []
    for clip in clips:
        verdict = clip.analysis.verdict
        right = Verdict.MANIPULATED if clip.fake else Verdict.NOT_FOUND
        if verdict is right:
            continue
        judged = clip.analysis.probability is not None
        failures.append(
            WrongJudgement(
                path=clip.file,
                label="fake" if clip.fake else "real",
                probability=clip.analysis.probability,
                group=clip.group or clip.file,
                kind=str(clip.analysis.media.kind),
                data=data,
                generator=clip.generator if clip.fake else "",
                verdict=str(verdict),
                thumbnail=f"gallery/{clip.file.replace('/', '_')}.jpg" if judged else None,
            )
        )
    return failures


def write_failures(failures: Sequence[WrongJudgement], out: Path) -> list[WrongJudgement]:
    """``failures.json`` below ``out``, worst first; returns them in that order."""
    ordered = sorted(failures, key=lambda failure: (-failure.error, failure.path))
    (out / "failures.json").write_text(
        json.dumps([asdict(failure) for failure in ordered], indent=1) + "\n", encoding="utf-8"
    )
    return ordered

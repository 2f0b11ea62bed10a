"""Whole clips with what is known of them: which there are, how a model judges them, and the figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from detector.progress import ReportText
from detector.schema.analysis import Analysis, Parameters, Person, Verdict
from detector.scoring.scorer import Scorer
from detector.training.data.clip_table import clip_rows, identity_pairs
from detector.training.evaluation.figures import temporal_metrics
from detector.training.evaluation.figures.metrics import Scored, leave_one_group_out
from detector.training.evaluation.figures.temporal_metrics import Span, Timed, overlap
from detector.training.evaluation.material.recorded_clips import (
    Distortion,
    own_crops,
    record,
    replay,
    strongest_crop,
)


@dataclass(frozen=True)
class Listed:
    """A clip before it is analysed. ``split_x`` parts two people of whom the right one is manipulated."""

    file: str
    path: Path
    fake: bool
    generator: str
    truth: tuple[Span, ...] = ()
    group: str = ""
    split_x: float | None = None


@dataclass(frozen=True)
class Clip:
    """One analysed clip and what is known of it."""

    file: str
    fake: bool
    generator: str
    truth: tuple[Span, ...]
    analysis: Analysis
    group: str = ""
    split_x: float | None = None

    @property
    def whole(self) -> bool:
        """Manipulated from end to end or not at all, and no control."""
        return bool(self.generator) and not self.truth


def listed_clips(folder: Path) -> list[Listed]:
    """Every clip of ``folder`` (laid out as the research data's ``videos``) that is not for training."""
    rows = [row for row in clip_rows(folder) if row["role"] == "develop"]
    clips = [
        Listed(
            row["file"], folder / row["file"], row["label"] == "fake", row["generator"], group=row["group"]
        )
        for row in rows
    ]
    composed = [
        entry
        for name in ("splices", "two-people", "controls")
        for entry in json.loads((folder / f"{name}.json").read_text())
    ]
    groups = identity_pairs([row["file"] for row in rows] + [entry["file"] for entry in composed])
    for entry in composed:
        truth = tuple((s["start"], s["end"]) for s in entry["segments"])
        file, generator = entry["file"], entry.get("generator", "")
        clips.append(
            Listed(file, folder / file, bool(truth), generator, truth, groups[file], entry.get("split_x"))
        )
    return clips


def analysed(
    clips: Sequence[Listed],
    scorer: Scorer,
    faces: Path,
    report: ReportText,
    distortion: Distortion | None = None,
    thumbnails: Path | None = None,
    parameters: Parameters | None = None,
) -> list[Clip]:
    """``clips`` judged by ``scorer``; faces found are kept below ``faces`` for the next model.

    Below ``thumbnails`` the strongest crop of each clip is written as ``FILE.jpg``.
    """
    parameters = parameters or Parameters()
    out = []
    for number, clip in enumerate(clips, start=1):
        report(f"{clip.file} ({number} of {len(clips)})")
        recording, crops = record(clip.path, scorer.quality_size, faces, parameters, distortion)
        judge = scorer.stills if recording.media.still else scorer
        seen = own_crops(clip.path, recording, scorer, parameters, distortion) if scorer.card.onnx else None
        analysis = replay(recording, crops, judge, parameters, seen)
        if thumbnails:
            shown = strongest_crop(recording, analysis, crops)
            if shown is not None:
                write_thumbnail(thumbnails / f"{clip.file.replace('/', '_')}.jpg", shown)
        out.append(Clip(clip.file, clip.fake, clip.generator, clip.truth, analysis, clip.group, clip.split_x))
    return out


def write_thumbnail(path: Path, image: np.ndarray) -> None:
    """A JPEG of an RGB image."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])


def found(analysis: Analysis) -> list[Span]:
    """Start and end of each segment, in seconds from the first frame."""
    return [(s.start, s.end) for s in analysis.segments]


def flagged(clips: Sequence[Clip]) -> float:
    """Share of ``clips`` whose verdict is ``manipulated``."""
    return float(np.mean([c.analysis.verdict is Verdict.MANIPULATED for c in clips]))


def clip_auc(clips: Sequence[Clip]) -> float:
    """Over clips that were given a probability."""
    judged = [c for c in clips if c.analysis.probability is not None]
    return float(roc_auc_score([c.fake for c in judged], [c.analysis.probability for c in judged]))


def clip_figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Figures over whole clips and over the segments within them."""
    whole = [c for c in clips if c.whole]
    c40 = [c for c in whole if c.file.startswith("ffpp-c40")]
    spliced = [c for c in clips if c.truth]
    controls = [c for c in clips if not c.generator]
    fakes, reals = [c for c in whole if c.fake], [c for c in whole if not c.fake]
    return {
        "develop clips, AUC": clip_auc(whole),
        "develop clips of FaceForensics++ c40, AUC": clip_auc(c40),
        "develop clips, manipulated ones flagged": flagged(fakes),
        "develop clips, unmanipulated ones flagged": flagged(reals),
        "develop clips, inconclusive": float(
            np.mean([c.analysis.verdict is Verdict.INCONCLUSIVE for c in whole])
        ),
        "partly manipulated clips, mean temporal IoU": float(
            np.mean([overlap(c.truth, found(c.analysis)) for c in spliced])
        ),
        "partly manipulated clips, flagged": flagged(spliced),
        "control clips (a cut or a stretch compressed again), flagged": flagged(controls),
    }


def scored_clips(clips: Sequence[Clip]) -> Scored:
    """Clips that were given a probability, as items to measure; what was decided is the verdict."""
    judged = [c for c in clips if c.analysis.probability is not None]
    probabilities = np.array([float(c.analysis.probability or 0) for c in judged])
    _, groups = np.unique([c.group or c.file for c in judged], return_inverse=True)
    labels = np.array([int(c.fake) for c in judged])
    said = np.array([c.analysis.verdict is Verdict.MANIPULATED for c in judged])
    return Scored(labels, probabilities, probabilities, groups, said)


def left_out_figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Decisions on whole clips, with the threshold chosen leaving out the clip's own identity pair."""
    left = leave_one_group_out(scored_clips(clips))
    name = "develop clips, threshold chosen leaving one identity pair out"
    return {
        f"{name}: balanced accuracy": left.balanced_accuracy,
        f"{name}: manipulated ones flagged": left.recall,
        f"{name}: unmanipulated ones flagged": left.false_positive_rate,
    }


def scored_frames(clips: Sequence[Clip], smoothed: bool = False) -> Scored:
    """Every usable face of every sampled frame of whole clips; the group is the clip's."""
    labels, values, groups = [], [], []
    for clip in clips:
        for person in clip.analysis.persons:
            for score in person.scores:
                probability = score.smoothed if smoothed else score.probability
                if probability is not None:
                    labels.append(int(clip.fake))
                    values.append(probability)
                    groups.append(clip.group or clip.file)
    _, numbers = np.unique(groups, return_inverse=True)
    values_ = np.array(values, np.float64)
    return Scored(np.array(labels, np.int_), values_, values_, numbers)


def timed(clips: Sequence[Clip]) -> list[Timed]:
    """Clips as the temporal figures want them; two people side by side are two of them."""
    out = []
    for clip in clips:
        for side, truth in _sides(clip):
            who = {p.id for p in clip.analysis.persons if _belongs(p, side, clip.split_x)}
            proposals = tuple(
                (s.start, s.end, s.confidence) for s in clip.analysis.segments if s.person in who
            )
            out.append(Timed(clip.file + side, truth, proposals))
    return out


def inner_auc(clips: Sequence[Clip], *, smoothed: bool) -> dict[str, float]:
    """AUC over the frames within each partly manipulated clip, by file; the manipulated person's only."""
    out = {}
    for clip in clips:
        side, truth = _sides(clip)[-1]
        scores = [
            (score.time, score.smoothed if smoothed else score.probability)
            for p in clip.analysis.persons
            if _belongs(p, side, clip.split_x)
            for score in p.scores
            if score.probability is not None
        ]
        labels = [any(a <= time < b for a, b in truth) for time, _ in scores]
        if any(labels) and not all(labels):
            out[clip.file] = float(roc_auc_score(labels, [value for _, value in scores]))
    return out


def flicker(clips: Sequence[Clip]) -> float:
    """Crossings of the entry threshold a second, of all tracks of ``clips``."""
    lines = []
    for clip in clips:
        for person in clip.analysis.persons:
            scores = person.scores
            for number in person.tracks:
                line = (scores.track == number) & ~np.isnan(scores.smoothed)
                lines.append((scores.time[line], scores.smoothed[line]))
    return temporal_metrics.flicker(lines, Parameters().enter_threshold)


def truth_of(clip: Clip, person: Person) -> tuple[Span, ...]:
    """When ``person`` of a partly manipulated clip is; of two people, never the left one."""
    return next(truth for side, truth in _sides(clip) if _belongs(person, side, clip.split_x))


def _sides(clip: Clip) -> list[tuple[str, tuple[Span, ...]]]:
    return [("", clip.truth)] if clip.split_x is None else [(" left", ()), (" right", clip.truth)]


def _belongs(person: Person, side: str, split_x: float | None) -> bool:
    if split_x is None:
        return True
    centre = (person.median_box[0] + person.median_box[2]) / 2
    return (centre >= split_x) == (side == " right")

"""Material that models are evaluated on: crops, clips and a user's own data set, with their scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.faces.patch import decode_jpeg
from detector.progress import ReportText
from detector.schema.analysis import Analysis, Parameters, Person, Verdict
from detector.scoring.scorer import Scorer, crop_for
from detector.statistics import temporal_metrics
from detector.statistics.metrics import Scored, leave_one_group_out
from detector.statistics.temporal_metrics import Span, Timed, overlap
from training.data.labelled_sets import SPLITS, DataSetError, Item, contents, file_marks, read_set
from training.data.research_faces import clip_rows, dfdc_samples, identity_pairs, read_csv
from training.evaluation.recorded_clips import Distortion, own_crops, record, replay, strongest_crop
from training.model_card import DATA_SET

WIDTHS = (16, 24, 32, 40, 48, 64, 96)  # px to which crops are reduced to find the smallest usable face
_BATCH = 50


@dataclass(frozen=True)
class EncodedCrop:
    """An encoded crop of one face with its label, group and path."""

    path: str
    data: bytes
    label: int
    group: str


def read_archive(archive: Path) -> list[EncodedCrop]:
    """Return the crops of a DFDC zip, in the order of its CSV."""
    names = [row["file"] for row in read_csv(archive.with_suffix(".csv"))]
    samples = dfdc_samples(archive)
    return [
        EncodedCrop(f"{archive.name}/{name}", s.data, s.label, s.group)
        for name, s in zip(names, samples, strict=True)
    ]


def scores(scorer: Scorer, crops: Sequence[EncodedCrop], width: int | None = None) -> NDArray[np.float64]:
    """Return one logit per crop; ``width`` first reduces each to so many pixels."""
    logits: list[float] = []
    for start in range(0, len(crops), _BATCH):
        images = [decode_jpeg(crop.data) for crop in crops[start : start + _BATCH]]
        if width is not None:
            images = [cv2.resize(i, (width, width), interpolation=cv2.INTER_AREA) for i in images]
        logits += scorer.logits([crop_for(image, scorer.card) for image in images]).tolist()
    return np.array(logits)


def scored_crops(crops: Sequence[EncodedCrop], logits: NDArray[np.float64], temperature: float) -> Scored:
    """Return crops with their ``logits`` (n,) for measuring; resampling keeps a source video together."""
    return Scored.of([c.label for c in crops], logits, [c.group for c in crops], temperature)


def small_faces(scorer: Scorer, crops: Sequence[EncodedCrop]) -> dict[str, float]:
    """Return the AUC over crops reduced to each of :data:`WIDTHS`."""
    labels = [crop.label for crop in crops]
    return {
        f"dfdc-val crops reduced to {width} px, AUC": float(
            roc_auc_score(labels, scores(scorer, crops, width))
        )
        for width in WIDTHS
    }


@dataclass(frozen=True)
class ListedClip:
    """A clip to be analysed. ``split_x`` separates two people, of whom the right one is manipulated."""

    file: str
    path: Path
    fake: bool
    generator: str
    truth: tuple[Span, ...] = ()
    group: str = ""
    split_x: float | None = None


@dataclass(frozen=True)
class Clip:
    """An analysed clip."""

    file: str
    fake: bool
    generator: str
    truth: tuple[Span, ...]
    analysis: Analysis
    group: str = ""
    split_x: float | None = None

    @property
    def whole(self) -> bool:
        """Whether it is manipulated from end to end or not at all, and no control."""
        return bool(self.generator) and not self.truth


def listed_clips(folder: Path) -> list[ListedClip]:
    """List every clip of ``folder`` (such as the research data's ``videos``) that is not for training."""
    rows = [row for row in clip_rows(folder) if row["role"] == "develop"]
    clips = [
        ListedClip(
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
        split_x = entry.get("split_x")
        clips.append(ListedClip(file, folder / file, bool(truth), generator, truth, groups[file], split_x))
    return clips


def analyse_clips(
    clips: Sequence[ListedClip],
    scorer: Scorer,
    faces: Path,
    report: ReportText,
    distortion: Distortion | None = None,
    thumbnails: Path | None = None,
    parameters: Parameters | None = None,
) -> list[Clip]:
    """Analyse ``clips`` with ``scorer``; detections are cached below ``faces`` for the next model.

    The strongest crop of each clip is written below ``thumbnails`` as ``FILE.jpg``.
    """
    parameters = parameters or Parameters()
    out = []
    for number, clip in enumerate(clips, start=1):
        report(f"{clip.file} ({number} of {len(clips)})")
        recording, crops = record(clip.path, scorer.quality_size, faces, parameters, distortion)
        judge = scorer.stills if recording.media.still else scorer
        own = own_crops(clip.path, recording, scorer, parameters, distortion) if scorer.card.onnx else None
        analysis = replay(recording, crops, judge, parameters, own)
        if thumbnails:
            strongest = strongest_crop(recording, analysis, crops)
            if strongest is not None:
                write_thumbnail(thumbnails / f"{clip.file.replace('/', '_')}.jpg", strongest)
        out.append(Clip(clip.file, clip.fake, clip.generator, clip.truth, analysis, clip.group, clip.split_x))
    return out


def write_thumbnail(path: Path, image: np.ndarray) -> None:
    """Write an RGB image as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])


def segment_spans(analysis: Analysis) -> list[Span]:
    """Return start and end of each segment, in seconds from the first frame."""
    return [(s.start, s.end) for s in analysis.segments]


def share_flagged(clips: Sequence[Clip], verdict: Verdict = Verdict.MANIPULATED) -> float:
    """Return the share of ``clips`` with this ``verdict``."""
    return float(np.mean([c.analysis.verdict is verdict for c in clips]))


def clip_figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Return figures over whole clips and over the segments within clips."""
    whole = [c for c in clips if c.whole]
    spliced = [c for c in clips if c.truth]

    def auc(some: Sequence[Clip]) -> float:
        judged = [c for c in some if c.analysis.probability is not None]
        return float(roc_auc_score([c.fake for c in judged], [c.analysis.probability for c in judged]))

    return {
        "develop clips, AUC": auc(whole),
        "develop clips of FaceForensics++ c40, AUC": auc([c for c in whole if c.file.startswith("ffpp-c40")]),
        "develop clips, manipulated ones flagged": share_flagged([c for c in whole if c.fake]),
        "develop clips, unmanipulated ones flagged": share_flagged([c for c in whole if not c.fake]),
        "develop clips, inconclusive": share_flagged(whole, Verdict.INCONCLUSIVE),
        "partly manipulated clips, mean temporal IoU": float(
            np.mean([overlap(c.truth, segment_spans(c.analysis)) for c in spliced])
        ),
        "partly manipulated clips, flagged": share_flagged(spliced),
        "control clips (a cut or a stretch compressed again), flagged": share_flagged(
            [c for c in clips if not c.generator]
        ),
    }


def scored_clips(clips: Sequence[Clip]) -> Scored:
    """Return clips with a probability, for measuring; the decision is the verdict."""
    judged = [c for c in clips if c.analysis.probability is not None]
    probabilities = np.array([float(c.analysis.probability or 0) for c in judged])
    _, groups = np.unique([c.group or c.file for c in judged], return_inverse=True)
    labels = np.array([int(c.fake) for c in judged])
    flagged = np.array([c.analysis.verdict is Verdict.MANIPULATED for c in judged])
    return Scored(labels, probabilities, probabilities, groups, flagged)


def left_out_figures(clips: Sequence[Clip]) -> dict[str, float]:
    """Return decisions on whole clips, each with a threshold chosen without the clip's identity pair."""
    left = leave_one_group_out(scored_clips(clips))
    name = "develop clips, threshold chosen leaving one identity pair out"
    return {
        f"{name}: balanced accuracy": left.balanced_accuracy,
        f"{name}: manipulated ones flagged": left.recall,
        f"{name}: unmanipulated ones flagged": left.false_positive_rate,
    }


def scored_frames(clips: Sequence[Clip], smoothed: bool = False) -> Scored:
    """Return every usable face of every sampled frame of whole clips; the group is the clip's."""
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


def timed_clips(clips: Sequence[Clip]) -> list[Timed]:
    """Return clips for temporal figures; two people side by side count as two clips."""
    out = []
    for clip in clips:
        for side, truth in _sides(clip):
            ids = {p.id for p in clip.analysis.persons if _is_on_side(p, side, clip.split_x)}
            segments = [s for s in clip.analysis.segments if s.person in ids]
            proposals = tuple((s.start, s.end, s.confidence) for s in segments)
            out.append(Timed(clip.file + side, truth, proposals))
    return out


def inner_auc(clips: Sequence[Clip], *, smoothed: bool) -> dict[str, float]:
    """Return, by file, the AUC over the frames of the manipulated person in partly manipulated clips."""
    out = {}
    for clip in clips:
        side, truth = _sides(clip)[-1]
        scores = [
            (score.time, score.smoothed if smoothed else score.probability)
            for p in clip.analysis.persons
            if _is_on_side(p, side, clip.split_x)
            for score in p.scores
            if score.probability is not None
        ]
        labels = [any(a <= time < b for a, b in truth) for time, _ in scores]
        if any(labels) and not all(labels):
            out[clip.file] = float(roc_auc_score(labels, [value for _, value in scores]))
    return out


def flicker(clips: Sequence[Clip]) -> float:
    """Return how often a second the tracks of ``clips`` cross the entry threshold."""
    lines = []
    for clip in clips:
        for person in clip.analysis.persons:
            scores = person.scores
            for number in person.tracks:
                line = (scores.track == number) & ~np.isnan(scores.smoothed)
                lines.append((scores.time[line], scores.smoothed[line]))
    return temporal_metrics.flicker(lines, Parameters().enter_threshold)


def truth_of(clip: Clip, person: Person) -> tuple[Span, ...]:
    """Return when ``person`` is manipulated; of two people, never the left one."""
    return next(truth for side, truth in _sides(clip) if _is_on_side(person, side, clip.split_x))


def _sides(clip: Clip) -> list[tuple[str, tuple[Span, ...]]]:
    return [("", clip.truth)] if clip.split_x is None else [(" left", ()), (" right", clip.truth)]


def _is_on_side(person: Person, side: str, split_x: float | None) -> bool:
    if split_x is None:
        return True
    centre = (person.median_box[0] + person.median_box[2]) / 2
    return (centre >= split_x) == (side == " right")


ALL = "all"
_ALL_FOR_TEST = (0.0, 0.0, 1.0)  # shares of train, val and test if the set names no splits


@dataclass(frozen=True)
class OwnSetPart:
    """The measured items of the set at ``data``; the model learned from ``learnt`` of them.

    ``learnt`` includes items it was chosen by or calibrated on. ``notes`` mention both, and what was omitted.
    """

    data: Path
    items: tuple[Item, ...]
    learnt: int
    notes: tuple[str, ...]


def own_set_part(data: Path, split: str | None, learnt_from: frozenset[str]) -> OwnSetPart:
    """Select the items of the set at ``data`` to measure; ``learnt_from`` are the marks of training files.

    ``split`` is one of :data:`~training.data.labelled_sets.SPLITS`, by which training divides a set without
    splits, or :data:`ALL`. By default it is the test split of a set with splits, and of others all groups
    that the model did not learn from. A folder ``train``, ``val`` or ``test`` is a split itself.

    Raises :class:`~training.data.labelled_sets.DataSetError` for a set that cannot be read, and if nothing is
    left.
    """
    items = read_set(data, _ALL_FOR_TEST)
    marked = [mark in learnt_from for mark in file_marks(items)] if learnt_from else [False] * len(items)
    learnt_groups = {item.group for item, learnt in zip(items, marked, strict=True) if learnt}
    if split is None and data.is_dir() and data.resolve().name.lower() in SPLITS:
        split = ALL
    elif split is None and any(item.split != "test" for item in items):
        split = "test"
    if split is None:
        part, names = "new to the model", {i.name for i in items if i.group not in learnt_groups}
    elif split == ALL:
        part, names = "there", {item.name for item in items}
    else:
        part, names = f"in the {split} split", {i.name for i in read_set(data) if i.split == split}
    chosen = [(item, learnt) for item, learnt in zip(items, marked, strict=True) if item.name in names]
    if not chosen:
        raise DataSetError(
            f"{data}: nothing of it is {part}. Name the part to measure: --split {', --split '.join(SPLITS)} "
            f"or --split {ALL}."
        )
    count = sum(learnt for _, learnt in chosen)
    notes = []
    if len(chosen) < len(items):
        notes.append(f"Measured: what is {part}, {len(chosen):,} of {len(items):,} files.")
    if count:
        notes.append(
            f"The model learned from {count:,} of these {len(chosen):,} files, or was chosen or calibrated "
            "on them: the figures flatter."
        )
    return OwnSetPart(data, tuple(item for item, _ in chosen), count, tuple(notes))


def note_unmarked(card_data: Sequence[str], learnt_from: frozenset[str]) -> tuple[str, ...]:
    """Return a note for a model whose card describes a user's own set while its weights mark no file."""
    if learnt_from or not any(line.startswith(DATA_SET) for line in card_data):
        return ()
    return (
        "An earlier version trained this model without recording its files: for a set that it learned from, "
        "name the part to measure (--split test).",
    )


def own_set_clips(part: OwnSetPart) -> list[ListedClip]:
    """Return its videos and photos; raise :class:`DataSetError` for a zip, which holds crops."""
    if any(item.member is not None for item in part.items):
        raise DataSetError(f"{part.data}: a zip holds face crops. Measure it with --crops.")
    return [
        ListedClip(
            _relative_name(i, part.data), i.path, bool(i.label), "given" if i.label else "none", group=i.group
        )
        for i in part.items
    ]


def own_set_crops(part: OwnSetPart) -> list[EncodedCrop]:
    """Return its pictures, each of which is a crop of one face."""
    items: Sequence[Item] = [item for item in part.items if not item.is_video]
    return [
        EncodedCrop(_relative_name(i, part.data), content, i.label, i.group) for i, content in contents(items)
    ]


def _relative_name(item: Item, data: Path) -> str:
    base = data if data.is_dir() else data.parent
    place = item.path.relative_to(base).as_posix()
    return place if item.member is None else f"{place}/{item.member}"

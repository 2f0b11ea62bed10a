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

WIDTHS = (16, 24, 32, 40, 48, 64, 96)  # px at which the smallest face worth judging is looked for
_BATCH = 50


@dataclass(frozen=True)
class EncodedCrop:
    """One encoded crop, what it is, and where it came from."""

    path: str
    data: bytes
    label: int
    group: str


def read_archive(archive: Path) -> list[EncodedCrop]:
    """The crops of a DFDC zip, in the order of its CSV."""
    names = [row["file"] for row in read_csv(archive.with_suffix(".csv"))]
    samples = dfdc_samples(archive)
    return [
        EncodedCrop(f"{archive.name}/{name}", s.data, s.label, s.group)
        for name, s in zip(names, samples, strict=True)
    ]


def scores(scorer: Scorer, crops: Sequence[EncodedCrop], width: int | None = None) -> NDArray[np.float64]:
    """One logit a crop; ``width`` first reduces each to so many pixels."""
    logits: list[float] = []
    for start in range(0, len(crops), _BATCH):
        images = [decode_jpeg(crop.data) for crop in crops[start : start + _BATCH]]
        if width is not None:
            images = [cv2.resize(i, (width, width), interpolation=cv2.INTER_AREA) for i in images]
        logits += scorer.logits([crop_for(image, scorer.card) for image in images]).tolist()
    return np.array(logits)


def scored_crops(crops: Sequence[EncodedCrop], logits: NDArray[np.float64], temperature: float) -> Scored:
    """Crops and their ``logits`` (n,) as items to measure; resampling keeps a source video together."""
    return Scored.of([c.label for c in crops], logits, [c.group for c in crops], temperature)


def small_faces(scorer: Scorer, crops: Sequence[EncodedCrop]) -> dict[str, float]:
    """AUC when faces are first reduced to so many pixels, which says from where on they can be judged."""
    labels = [crop.label for crop in crops]
    return {
        f"dfdc-val crops reduced to {width} px, AUC": float(
            roc_auc_score(labels, scores(scorer, crops, width))
        )
        for width in WIDTHS
    }


@dataclass(frozen=True)
class ListedClip:
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


def listed_clips(folder: Path) -> list[ListedClip]:
    """Every clip of ``folder`` (laid out as the research data's ``videos``) that is not for training."""
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
        clips.append(
            ListedClip(file, folder / file, bool(truth), generator, truth, groups[file], entry.get("split_x"))
        )
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


def segment_spans(analysis: Analysis) -> list[Span]:
    """Start and end of each segment, in seconds from the first frame."""
    return [(s.start, s.end) for s in analysis.segments]


def share_flagged(clips: Sequence[Clip]) -> float:
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
        "develop clips, manipulated ones flagged": share_flagged(fakes),
        "develop clips, unmanipulated ones flagged": share_flagged(reals),
        "develop clips, inconclusive": float(
            np.mean([c.analysis.verdict is Verdict.INCONCLUSIVE for c in whole])
        ),
        "partly manipulated clips, mean temporal IoU": float(
            np.mean([overlap(c.truth, segment_spans(c.analysis)) for c in spliced])
        ),
        "partly manipulated clips, flagged": share_flagged(spliced),
        "control clips (a cut or a stretch compressed again), flagged": share_flagged(controls),
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


def timed_clips(clips: Sequence[Clip]) -> list[Timed]:
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


ALL = "all"
_ALL_TO_MEASURE_ON = (0.0, 0.0, 1.0)  # shares of train, val and test where the set names no splits


@dataclass(frozen=True)
class OwnSetPart:
    """What of the set at ``data`` is measured; ``learnt`` says of how many the model learnt.

    It also counts those that it was chosen by or calibrated on. ``notes`` say what was left out, and that.
    """

    data: Path
    items: tuple[Item, ...]
    learnt: int
    notes: tuple[str, ...]


def own_set_part(data: Path, split: str | None, learnt_from: frozenset[str]) -> OwnSetPart:
    """Items of the set at ``data``; ``learnt_from`` are the marks of what the model learnt from.

    ``split`` is one of :data:`~training.data.labelled_sets.SPLITS`, by which training divides a set
    that names none, or :data:`ALL`. None: of a set that names splits the test split; of others all but groups
    that were learnt from. A folder ``train``, ``val`` or ``test`` is a split itself, and taken whole.

    Raises :class:`~training.data.labelled_sets.DataSetError` for a set that cannot be read, and
    where nothing is left.
    """
    every = read_set(data, _ALL_TO_MEASURE_ON)
    known = {item.group: False for item in every}
    seen = [mark in learnt_from for mark in file_marks(every)] if learnt_from else [False] * len(every)
    for item, one in zip(every, seen, strict=True):
        known[item.group] |= one
    names_splits = any(item.split != "test" for item in every)
    if split is None and data.is_dir() and data.resolve().name.lower() in SPLITS:
        split = ALL
    elif split is None and names_splits:
        split = "test"
    if split is None:
        what, places = "new to the model", {i.name for i in every if not known[i.group]}
    elif split == ALL:
        what, places = "there", {item.name for item in every}
    else:
        what, places = f"in the {split} split", {i.name for i in read_set(data) if i.split == split}
    chosen = [(item, one) for item, one in zip(every, seen, strict=True) if item.name in places]
    if not chosen:
        raise DataSetError(
            f"{data}: nothing of it is {what}. Name the part to measure: --split {', --split '.join(SPLITS)} "
            f"or --split {ALL}."
        )
    learnt = sum(one for _, one in chosen)
    notes = []
    if len(chosen) < len(every):
        notes.append(f"Measured: what is {what}, {len(chosen):,} of {len(every):,} files.")
    if learnt:
        notes.append(
            f"The model learnt from {learnt:,} of these {len(chosen):,} files, or was chosen or calibrated "
            "on them: the figures flatter."
        )
    return OwnSetPart(data, tuple(item for item, _ in chosen), learnt, tuple(notes))


def note_unmarked(described: Sequence[str], learnt_from: frozenset[str]) -> tuple[str, ...]:
    """What to note of a model whose card ``described`` a set of one's own while its weights mark no file."""
    if learnt_from or not any(line.startswith(DATA_SET) for line in described):
        return ()
    return (
        "An earlier version trained this model and did not note from which files: of a set that it learnt "
        "from, name the part to measure (--split test).",
    )


def own_set_clips(part: OwnSetPart) -> list[ListedClip]:
    """Its videos and photos; raises :class:`DataSetError` for a zip, which holds crops."""
    if any(item.member is not None for item in part.items):
        raise DataSetError(f"{part.data}: a zip holds face crops. Measure it with --crops.")
    return [
        ListedClip(_named(i, part.data), i.path, bool(i.label), "given" if i.label else "none", group=i.group)
        for i in part.items
    ]


def own_set_crops(part: OwnSetPart) -> list[EncodedCrop]:
    """Its pictures, which are themselves crops of one face each."""
    items: Sequence[Item] = [item for item in part.items if not item.is_video]
    return [EncodedCrop(_named(i, part.data), content, i.label, i.group) for i, content in contents(items)]


def _named(item: Item, data: Path) -> str:
    base = data if data.is_dir() else data.parent
    place = item.path.relative_to(base).as_posix()
    return place if item.member is None else f"{place}/{item.member}"

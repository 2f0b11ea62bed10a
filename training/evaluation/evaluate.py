"""Evaluate a model as it ships: crops, whole clips, timing, distortions and heatmaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.errors import ParameterError
from detector.models.card import Card
from detector.models.loaded import load_model
from detector.models.model_files import load_card
from detector.progress import ReportText
from detector.schema.analysis import MediaKind, Parameters
from detector.scoring.scorer import Scorer
from detector.statistics import metrics, temporal_metrics
from detector.statistics.metrics import Figure, Scored, measure
from training.data.labelled_sets import marks_in_weights
from training.evaluation import material as clips_
from training.evaluation import material as crops_
from training.evaluation.material import (
    Clip,
    OwnSetPart,
    note_unmarked,
    own_set_clips,
    own_set_crops,
    own_set_part,
)
from training.evaluation.results import Evaluation, clip_failures, crop_failures, write_failures
from training.model_card import limits_once_measured, write_card
from training.published_rates import measured_rates, with_own_loss

# What of each level goes into the card; the rest is in metrics.json.
_CARD_CROPS = (
    "AUC",
    "equal error rate",
    "accuracy at 0.5",
    "expected calibration error",
    "Brier score",
)


def evaluate(
    model: str | Path | None,
    data: Path,
    out: Path,
    update_card: bool = False,
    quick: bool = False,
    crops: bool = False,
    split: str | None = None,
    report: ReportText = lambda text: None,
) -> Evaluation:
    """Measure ``model`` on ``data`` and write ``metrics.json``, a page, pictures and failures to ``out``.

    ``data`` is the research folder (see its README), or a data set of one's own as
    :func:`~training.data.labelled_sets.read_set` reads it; of the latter only what applies is
    measured, of its ``split`` (see :mod:`~training.evaluation.material`), and
    ``crops`` says that each picture is itself a crop of one face. ``quick`` leaves out distortions and
    heatmaps. Faces found are kept in ``faces`` beside ``out``.

    Raises :class:`~detector.errors.ModelError` for a model that cannot be used,
    :class:`~detector.errors.ParameterError` for data of neither form, and ``OSError``
    for data that cannot be read.
    """
    from training.evaluation.results import write_page

    scorer = Scorer(load_model(model))
    _, weights = load_card(model)
    measured = Evaluation(scorer.card, Parameters())
    out.mkdir(parents=True, exist_ok=True)
    faces = out.parent / "faces"
    learnt = False
    if (data / "dfdc-test.csv").is_file():
        _research(measured, scorer, data, out, faces, quick, report)
    elif data.suffix in {".csv", ".zip"} or data.is_dir():
        known = marks_in_weights(weights)
        measured.notes += note_unmarked(scorer.card.data, known)
        part = own_set_part(data, split, known)
        learnt = bool(part.learnt)
        _own_set(measured, scorer, part, out, faces, crops, report)
    else:
        raise ParameterError(f"{data}: there is no such folder or CSV file.")
    measured.figures = {name: round(value, 4) for name, value in measured.figures.items()}
    (out / "metrics.json").write_text(json.dumps(measured.as_json(), indent=2) + "\n", encoding="utf-8")
    write_failures(measured.failures, out)
    report("drawing")
    write_page(measured, out)
    if update_card:
        _write_on_card(scorer.card, measured, learnt, weights.parent)
    return measured


def _write_on_card(card: Card, measured: Evaluation, learnt: bool, folder: Path) -> None:
    """Put the figures on the model's card; if any of the material was ``learnt`` from, its limits stay."""
    rates = measured_rates(measured.levels, learnt)
    limits = card.limits if learnt or not rates else limits_once_measured(card.limits)
    validated = with_own_loss(card.validated, measured.figures)
    told = {"figures": measured.figures, "rates": rates, "limits": limits, "validated": validated}
    write_card(card.model_copy(update=told), folder)


def _research(
    measured: Evaluation, scorer: Scorer, data: Path, out: Path, faces: Path, quick: bool, report: ReportText
) -> None:
    for name in ("dfdc-val", "dfdc-test"):
        report(f"{name} crops")
        crops = crops_.read_archive(data / f"{name}.zip")
        _crop_level(measured, scorer.stills, f"{name} crops", crops, out)
        if name == "dfdc-val" and not quick:
            measured.figures |= crops_.small_faces(scorer.stills, crops)
    listed = clips_.listed_clips(data / "videos")
    clips = clips_.analyse_clips(listed, scorer, faces, report, thumbnails=out / "gallery")
    measured.figures |= clips_.clip_figures(clips)
    whole = [c for c in clips if c.whole]
    _clip_level(measured, whole, "develop clips")
    measured.left_out = _rounded(clips_.left_out_figures(whole))
    measured.figures |= measured.left_out
    measured.failures += clip_failures(clips, "develop")
    _temporal(measured, clips)
    if quick:
        measured.notes.append("Distortions and heatmaps were not measured (--quick).")
        return
    from training.evaluation.robustness import robustness, robustness_subset

    measured.robustness = robustness(robustness_subset(listed), scorer, faces, report)
    if scorer.card.onnx:
        measured.notes.append("Heatmaps were not measured: Grad-CAM and ROAD need a network of torch.")
        return
    _heatmaps(measured, scorer, data, report)


def _heatmaps(measured: Evaluation, scorer: Scorer, data: Path, report: ReportText) -> None:
    from training.evaluation.heatmaps import card_figures, measure_maps

    report("heatmaps")
    measured.explanation = measure_maps(data / "photos-real.zip", scorer, report)
    measured.figures |= card_figures(measured.explanation)


def _own_set(
    measured: Evaluation,
    scorer: Scorer,
    part: OwnSetPart,
    out: Path,
    faces: Path,
    crops: bool,
    report: ReportText,
) -> None:
    measured.notes += part.notes
    if crops:
        _crop_level(measured, scorer.stills, "crops", own_set_crops(part), out)
        return
    every = clips_.analyse_clips(own_set_clips(part), scorer, faces, report, thumbnails=out / "gallery")
    measured.failures += clip_failures(every, "given")
    for kind, name in ((MediaKind.VIDEO, "clips"), (MediaKind.IMAGE, "photographs")):
        some = [clip for clip in every if clip.analysis.media.kind is kind]
        if not some:
            continue
        if kind is MediaKind.VIDEO:
            _clip_level(measured, some, name)
        else:
            _figures_of(measured, name, _level(measured, name, clips_.scored_clips(some)))
        judged = clips_.scored_clips(some)
        measured.figures[f"{name}, inconclusive"] = 1 - len(judged.labels) / len(some)


def _crop_level(
    measured: Evaluation, scorer: Scorer, name: str, crops: Sequence[crops_.EncodedCrop], out: Path
) -> None:
    logits = crops_.scores(scorer, crops)
    scored = crops_.scored_crops(crops, logits, scorer.card.temperature)
    figures = _level(measured, name, scored)
    measured.figures |= {f"{name}, {f}": figures[f].value for f in _CARD_CROPS if f in figures}
    measured.failures += crop_failures(crops, scored, measured.parameters, name.split()[0], out)


def _clip_level(measured: Evaluation, clips: Sequence[Clip], name: str) -> None:
    """Clips and their frames, and each generator's against all unmanipulated ones."""
    figures = _level(measured, name, clips_.scored_clips(clips))
    frames = _level(measured, f"frames of {name}", clips_.scored_frames(clips))
    _level(measured, f"smoothed frames of {name}", clips_.scored_frames(clips, smoothed=True))
    for generator in sorted({c.generator for c in clips if c.fake and c.generator}):
        some = [c for c in clips if not c.fake or c.generator == generator]
        _level(measured, f"{name}: {generator}", clips_.scored_clips(some))
        _level(measured, f"frames of {name}: {generator}", clips_.scored_frames(some))
    _figures_of(measured, name, figures)
    _figures_of(measured, f"frames of {name}", frames)


def _figures_of(measured: Evaluation, level: str, found: dict[str, Figure]) -> None:
    for figure in ("AUC", "expected calibration error"):
        if figure in found:
            measured.figures.setdefault(f"{level}, {figure}", found[figure].value)


def _level(measured: Evaluation, name: str, scored: Scored) -> dict[str, Figure]:
    threshold = measured.parameters.enter_threshold
    figures = measure(scored, threshold)
    measured.levels[name] = {
        "items": len(scored.labels),
        "manipulated": int(scored.labels.sum()),
        "groups": len(np.unique(scored.groups)),
        "figures": {figure: value.as_json() for figure, value in figures.items()},
        "threshold": threshold,
        "confusion": metrics.confusion(scored, threshold),
    }
    if figures:
        measured.curves[name] = scored
    return figures


def _temporal(measured: Evaluation, clips: Sequence[Clip]) -> None:
    spliced = [c for c in clips if c.truth and c.split_x is None]
    partly = [c for c in clips if c.truth]
    controls = [c for c in clips if not c.generator]
    whole = [c for c in clips if c.whole]
    raw, smoothed = clips_.inner_auc(partly, smoothed=False), clips_.inner_auc(partly, smoothed=True)
    timed = clips_.timed_clips(spliced)
    delay = temporal_metrics.detection_delay(clips_.timed_clips(partly))
    figures = {
        **{f"splices, {name}": value for name, value in temporal_metrics.figures(timed).items()},
        **{
            f"splices, two people and controls, {name}": value
            for name, value in temporal_metrics.figures(clips_.timed_clips([*partly, *controls])).items()
        },
        "frames within partly manipulated clips, AUC": float(np.mean(list(raw.values()))),
        "smoothed frames within partly manipulated clips, AUC": float(np.mean(list(smoothed.values()))),
        "crossings of the threshold a second, whole clips": clips_.flicker(whole),
        "crossings of the threshold a second, partly manipulated clips": clips_.flicker(partly),
        "true segments met": delay.met / (delay.met + delay.missed),
    }
    if delay.mean is not None and delay.median is not None:
        figures |= {"detection delay, mean s": delay.mean, "detection delay, median s": delay.median}
    measured.temporal = {
        "figures": _rounded(figures),
        "clips": [
            {
                "clip": video.name,
                "truth": [list(span) for span in video.truth],
                "found": [[round(v, 3) for v in proposal] for proposal in video.proposals],
                "temporal IoU": round(
                    temporal_metrics.overlap(video.truth, [p[:2] for p in video.proposals]), 4
                ),
                "frame AUC": raw.get(clip.file) and round(raw[clip.file], 4),
            }
            for clip in [*partly, *controls]
            for video in clips_.timed_clips([clip])
        ],
    }
    for name in ("AP at tIoU 0.5", "AP at tIoU 0.75", "AR at 10"):
        measured.figures[f"splices, {name}"] = figures[f"splices, {name}"]
    for name in ("frames within partly manipulated clips, AUC",):
        measured.figures[name] = figures[name]


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def format_figures(measured: Evaluation) -> str:
    """The card's figures, one a line, and what is to be known of them."""
    figures = (f"{name:75} {value:.4f}" for name, value in measured.figures.items())
    return "\n".join((*figures, *measured.notes))

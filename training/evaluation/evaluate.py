"""Evaluate a model as it ships: crops, whole clips, timing, distortions and heatmaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from detector.errors import ParameterError
from detector.models.loaded import load_model
from detector.models.model_files import load_card
from detector.progress import ReportText
from detector.schema.analysis import MediaKind, Parameters
from detector.scoring.scorer import Scorer
from detector.statistics import temporal_metrics
from detector.statistics.metrics import Figure, Scored, confusion, measure
from training.data.labelled_sets import marks_in_weights
from training.evaluation.material import (
    Clip,
    EncodedCrop,
    OwnSetPart,
    analyse_clips,
    clip_figures,
    flicker,
    inner_auc,
    left_out_figures,
    listed_clips,
    note_unmarked,
    own_set_clips,
    own_set_crops,
    own_set_part,
    read_archive,
    scored_clips,
    scored_crops,
    scored_frames,
    scores,
    small_faces,
    timed_clips,
)
from training.evaluation.results import Evaluation, clip_failures, crop_failures, write_failures, write_page
from training.model_card import limits_once_measured, write_card
from training.published_rates import measured_rates, with_own_loss

# Figures of crops that go onto the card; metrics.json has all of them.
_CARD_CROPS = ("AUC", "equal error rate", "accuracy at 0.5", "expected calibration error", "Brier score")


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
    """Measure ``model`` on ``data``; write ``metrics.json``, a page, pictures and failures to ``out``.

    Everything runs through the engine's own functions, with half-precision weights. Thresholds are the
    shipped defaults, chosen on ``dfdc-val`` and the clips of role ``develop``; ``dfdc-test`` chose nothing.

    ``data`` is the research folder (see its README), or a user's own set as
    :func:`~training.data.labelled_sets.read_set` reads it. Of the latter the applicable figures are measured,
    on its ``split`` (see :func:`~training.evaluation.material.own_set_part`); with ``crops`` each picture is
    itself a crop of one face. ``quick`` omits distortions and heatmaps. Detected faces are cached in
    ``faces`` beside ``out``.

    Raises :class:`~detector.errors.ModelError` for a model that cannot be used,
    :class:`~detector.errors.ParameterError` for data of neither form, and ``OSError`` for unreadable data.
    """
    scorer = Scorer(load_model(model))
    _, weights = load_card(model)
    measured = Evaluation(scorer.card, Parameters())
    out.mkdir(parents=True, exist_ok=True)
    faces = out.parent / "faces"
    learnt = False
    if (data / "dfdc-test.csv").is_file():
        _measure_research(measured, scorer, data, out, faces, quick, report)
    elif data.suffix in {".csv", ".zip"} or data.is_dir():
        marks = marks_in_weights(weights)
        measured.notes += note_unmarked(scorer.card.data, marks)
        part = own_set_part(data, split, marks)
        learnt = bool(part.learnt)
        _measure_own_set(measured, scorer, part, out, faces, crops, report)
    else:
        raise ParameterError(f"{data}: there is no such folder or CSV file.")
    measured.figures = _rounded(measured.figures)
    (out / "metrics.json").write_text(json.dumps(measured.as_json(), indent=2) + "\n", encoding="utf-8")
    write_failures(measured.failures, out)
    report("drawing")
    write_page(measured, out)
    if update_card:
        # The card keeps its limits if the model learned from some of the material.
        rates = measured_rates(measured.levels, learnt)
        limits = {} if learnt or not rates else limits_once_measured(scorer.card)
        validated = with_own_loss(scorer.card.validated, measured.figures)
        update = {"figures": measured.figures, "rates": rates, "validated": validated, **limits}
        write_card(scorer.card.model_copy(update=update), weights.parent)
    return measured


def _measure_research(
    measured: Evaluation, scorer: Scorer, data: Path, out: Path, faces: Path, quick: bool, report: ReportText
) -> None:
    for name in ("dfdc-val", "dfdc-test"):
        report(f"{name} crops")
        crops = read_archive(data / f"{name}.zip")
        _add_crops(measured, scorer.stills, f"{name} crops", crops, out)
        if name == "dfdc-val" and not quick:
            measured.figures |= small_faces(scorer.stills, crops)
    listed = listed_clips(data / "videos")
    clips = analyse_clips(listed, scorer, faces, report, thumbnails=out / "gallery")
    measured.figures |= clip_figures(clips)
    whole = [clip for clip in clips if clip.whole]
    _add_clips(measured, whole, "develop clips")
    measured.left_out = _rounded(left_out_figures(whole))
    measured.figures |= measured.left_out
    measured.failures += clip_failures(clips, "develop")
    _add_temporal(measured, clips)
    if quick:
        measured.notes.append("Distortions and heatmaps were not measured (--quick).")
        return
    from training.evaluation.robustness import robustness, robustness_subset

    measured.robustness = robustness(robustness_subset(listed), scorer, faces, report)
    if scorer.card.onnx:
        measured.notes.append("Heatmaps were not measured: Grad-CAM and ROAD need a network of torch.")
        return
    from training.evaluation.heatmaps import card_figures, measure_maps

    report("heatmaps")
    measured.explanation = measure_maps(data / "photos-real.zip", scorer, report)
    measured.figures |= card_figures(measured.explanation)


def _measure_own_set(
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
        _add_crops(measured, scorer.stills, "crops", own_set_crops(part), out)
        return
    clips = analyse_clips(own_set_clips(part), scorer, faces, report, thumbnails=out / "gallery")
    measured.failures += clip_failures(clips, "given")
    for kind, name in ((MediaKind.VIDEO, "clips"), (MediaKind.IMAGE, "photographs")):
        of_kind = [clip for clip in clips if clip.analysis.media.kind is kind]
        if not of_kind:
            continue
        scored = scored_clips(of_kind)
        if kind is MediaKind.VIDEO:
            _add_clips(measured, of_kind, name)
        else:
            _add_card_figures(measured, name, _add_level(measured, name, scored))
        measured.figures[f"{name}, inconclusive"] = 1 - len(scored.labels) / len(of_kind)


def _add_crops(
    measured: Evaluation, scorer: Scorer, name: str, crops: Sequence[EncodedCrop], out: Path
) -> None:
    scored = scored_crops(crops, scores(scorer, crops), scorer.card.temperature)
    figures = _add_level(measured, name, scored)
    measured.figures |= {f"{name}, {f}": figures[f].value for f in _CARD_CROPS if f in figures}
    measured.failures += crop_failures(crops, scored, measured.parameters, name.split()[0], out)


def _add_clips(measured: Evaluation, clips: Sequence[Clip], name: str) -> None:
    """Add clips and their frames, and each generator's against all unmanipulated ones."""
    figures = _add_level(measured, name, scored_clips(clips))
    frames = _add_level(measured, f"frames of {name}", scored_frames(clips))
    _add_level(measured, f"smoothed frames of {name}", scored_frames(clips, smoothed=True))
    for generator in sorted({clip.generator for clip in clips if clip.fake and clip.generator}):
        compared = [clip for clip in clips if not clip.fake or clip.generator == generator]
        _add_level(measured, f"{name}: {generator}", scored_clips(compared))
        _add_level(measured, f"frames of {name}: {generator}", scored_frames(compared))
    _add_card_figures(measured, name, figures)
    _add_card_figures(measured, f"frames of {name}", frames)


def _add_card_figures(measured: Evaluation, level: str, figures: dict[str, Figure]) -> None:
    for figure in ("AUC", "expected calibration error"):
        if figure in figures:
            measured.figures.setdefault(f"{level}, {figure}", figures[figure].value)


def _add_level(measured: Evaluation, name: str, scored: Scored) -> dict[str, Figure]:
    threshold = measured.parameters.enter_threshold
    figures = measure(scored, threshold)
    measured.levels[name] = {
        "items": len(scored.labels),
        "manipulated": int(scored.labels.sum()),
        "groups": len(np.unique(scored.groups)),
        "figures": {figure: value.as_json() for figure, value in figures.items()},
        "threshold": threshold,
        "confusion": confusion(scored, threshold),
    }
    if figures:
        measured.curves[name] = scored
    return figures


def _add_temporal(measured: Evaluation, clips: Sequence[Clip]) -> None:
    partly = [clip for clip in clips if clip.truth]
    spliced = [clip for clip in partly if clip.split_x is None]
    controls = [clip for clip in clips if not clip.generator]
    whole = [clip for clip in clips if clip.whole]
    raw, smoothed = inner_auc(partly, smoothed=False), inner_auc(partly, smoothed=True)
    of_splices = temporal_metrics.figures(timed_clips(spliced))
    of_all = temporal_metrics.figures(timed_clips([*partly, *controls]))
    delay = temporal_metrics.detection_delay(timed_clips(partly))
    frame_auc = "frames within partly manipulated clips, AUC"
    figures = {
        **{f"splices, {name}": value for name, value in of_splices.items()},
        **{f"splices, two people and controls, {name}": value for name, value in of_all.items()},
        frame_auc: float(np.mean(list(raw.values()))),
        f"smoothed {frame_auc}": float(np.mean(list(smoothed.values()))),
        "crossings of the threshold a second, whole clips": flicker(whole),
        "crossings of the threshold a second, partly manipulated clips": flicker(partly),
        "true segments met": delay.met / (delay.met + delay.missed),
    }
    if delay.mean is not None and delay.median is not None:
        figures |= {"detection delay, mean s": delay.mean, "detection delay, median s": delay.median}
    rows = []
    for clip in [*partly, *controls]:
        for timed in timed_clips([clip]):
            overlap = temporal_metrics.overlap(timed.truth, [p[:2] for p in timed.proposals])
            rows.append(
                {
                    "clip": timed.name,
                    "truth": [list(span) for span in timed.truth],
                    "found": [[round(v, 3) for v in proposal] for proposal in timed.proposals],
                    "temporal IoU": round(overlap, 4),
                    "frame AUC": raw.get(clip.file) and round(raw[clip.file], 4),
                }
            )
    measured.temporal = {"figures": _rounded(figures), "clips": rows}
    for name in ("splices, AP at tIoU 0.5", "splices, AP at tIoU 0.75", "splices, AR at 10", frame_auc):
        measured.figures[name] = figures[name]


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def format_figures(measured: Evaluation) -> str:
    """Format the card's figures, one per line, followed by the notes."""
    figures = (f"{name:75} {value:.4f}" for name, value in measured.figures.items())
    return "\n".join((*figures, *measured.notes))

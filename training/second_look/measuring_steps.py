"""Steps that fit, measure and ship given weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.errors import ParameterError
from detector.files import write_atomically
from detector.models.card import SecondLookCard
from detector.models.loaded import load_model
from detector.models.model_files import load_card, second_look_path
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from training.second_look.examples.patches import load
from training.second_look.fitting.exhibits import record_shares
from training.second_look.fitting.patch_scores import read_network
from training.second_look.fitting.photographs import crops_card, photographs_card
from training.second_look.fitting.thresholds import fit_card, measure_card, read_levels
from training.second_look.measuring.adversarial import measure_attacked_clips, measure_attacks
from training.second_look.measuring.changed_copies import measure_stability, stability_figures
from training.second_look.measuring.checkpoint_report import Inputs, report_checkpoint
from training.second_look.measuring.codecs import measure_codecs, update_codecs
from training.second_look.measuring.composed_clips import measure_composed
from training.second_look.measuring.group_photographs import measure_groups
from training.second_look.measuring.peak_maps import measure_peak_maps
from training.second_look.measuring.verdicts import (
    composed_figures,
    measure_verdicts,
    update_card,
    verdict_figures,
)
from training.second_look.runs import report_line, run_folder, scan_model
from training.second_look.ship import load_with_checkpoint, update_sentences
from training.second_look.ship import ship as ship_network


def report(options: argparse.Namespace) -> None:
    """Measure on the develop clips; the fusion fitted for it is not stored."""
    scorer = Scorer(scan_model(options))
    folder = run_folder(options)
    inputs = Inputs(options.weights, scorer, options.out, folder, options.every, options.architecture)
    report_checkpoint(inputs, report_line)


def fit(options: argparse.Namespace) -> None:
    """Run the engine on a share of the develop clips; fit fusion and thresholds when all are done."""
    model = load_with_checkpoint(scan_model(options), options.weights, options.architecture)
    card = model.card.second_look
    assert card is not None
    records = record_shares(options.data, model, _fitted_path(options), tuple(options.share), report_line)
    if records is not None:
        levels = read_levels(options.out)
        fitted = fit_card(records, card, Parameters(), levels)
        fitted = measure_card(records, fitted, Parameters(), levels, report_line)
        network = read_network(options.weights, options.architecture)
        fitted = photographs_card(
            Scorer(model.alone, still=True),
            network,
            fitted,
            options.out,
            Parameters(),
            report_line,
        )
        fitted = crops_card(model, fitted, options.out, Parameters(), report_line)
        develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
        fitted = measure_attacks(Scorer(model.alone), network, fitted, develop, Parameters(), report_line)
        write_atomically(_fitted_path(options), (fitted.model_dump_json(indent=2) + "\n").encode())


def composed(options: argparse.Namespace) -> None:
    """Compose splices and duos, and measure the model on them."""
    figures = measure_composed(options.data, load_model(options.scan), options.out / "composed", report_line)
    if options.update_card:
        report_line(str(update_card(options.scan, composed_figures(figures))))


def groups(options: argparse.Namespace) -> None:
    """Measure how often photographs of several people are flagged."""
    _, weights = load_card(options.scan)
    model = load_model(options.scan)
    second = second_look_path(weights).with_suffix(".safetensors")
    figures = measure_groups(model, second, options.out, report_line)
    if options.update_card:
        report_line(str(update_card(options.scan, figures)))


def stability(options: argparse.Namespace) -> None:
    """Measure how often shift, scale and encoding change a verdict."""
    folder = options.out / "changed"
    results = measure_stability(options.data, load_model(options.scan), folder, options.every, report_line)
    if options.update_card:
        report_line(str(update_card(options.scan, stability_figures(results))))


def verdicts(options: argparse.Namespace) -> None:
    """Measure verdicts of the whole engine, and report what leaves them open."""
    model, folder = load_model(options.scan), options.out / "verdicts"
    answers = measure_verdicts(options.data, model, folder, options.every, options.slow, report_line)
    if options.update_card:
        report_line(str(update_card(options.scan, verdict_figures(answers), answers)))


def codecs(options: argparse.Namespace) -> None:
    """Measure what other codecs add to scores, and verdicts of such clips."""
    model, folder = load_model(options.scan), options.out / "codecs"
    added = measure_codecs(options.data, model, folder, options.every, options.manipulated, report_line)
    report_line(str(added))
    if options.update_card:
        report_line(str(update_codecs(options.scan, added)))


def attacked_clips(options: argparse.Namespace) -> None:
    """Measure verdicts of clips attacked against the scan."""
    folder = options.out / "attacked"
    measure_attacked_clips(options.data, load_model(options.scan), folder, options.count, report_line)


def heatmaps(options: argparse.Namespace) -> None:
    """Measure how many heatmaps their checks confirm."""
    measure_peak_maps(options.data, load_model(options.scan), options.every, report_line)


def ship(options: argparse.Namespace) -> None:
    """Write weights and card."""
    if not _fitted_path(options).is_file():
        raise ParameterError(f"{_fitted_path(options)} is missing. Run the step `fit` first.")
    fitted = SecondLookCard.model_validate_json(_fitted_path(options).read_bytes())
    path = ship_network(
        options.weights, fitted, options.data, options.to, options.scan, options.recipe, report_line
    )
    report_line(path)


def sentences(options: argparse.Namespace) -> None:
    """Write the sentences of ``ship.py`` to the shipped card."""
    report_line(str(update_sentences(options.scan)))


def _fitted_path(options: argparse.Namespace) -> Path:
    weights: Path = options.weights
    return run_folder(options) / f"{weights.stem}.fitted.json"

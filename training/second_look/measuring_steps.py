"""Steps that fit, measure and ship given weights."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.errors import ParameterError
from detector.files import write_atomically
from detector.models.card import SecondLookCard
from detector.models.loaded import load_model
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from training.data.research_faces import harvest
from training.second_look.examples.patches import load, training_patches
from training.second_look.fitting.exhibits import record_shares
from training.second_look.fitting.patch_scores import read_network
from training.second_look.fitting.photographs import crops_card, photographs_card
from training.second_look.fitting.thresholds import fit_card, measure_card
from training.second_look.measuring.adversarial import measure_attacked_clips, measure_attacks
from training.second_look.measuring.checkpoint_report import Inputs, report_checkpoint
from training.second_look.measuring.checkpoint_report import probe_sources as probe_labels
from training.second_look.measuring.codecs import measure_codecs, measure_stability, update_codecs
from training.second_look.measuring.composed_clips import measure_composed
from training.second_look.measuring.heatmap_checks import measure_composite_maps, measure_heatmaps
from training.second_look.measuring.left_out import measure_left_out, measure_shares, train_without
from training.second_look.measuring.verdicts import (
    AS_SHIPPED,
    composed_figures,
    measure_verdicts,
    update_card,
    verdict_figures,
)
from training.second_look.runs import Recipe, pretrained, run_folder, say, scan_model
from training.second_look.scan import ScanNetwork
from training.second_look.ship import load_with_checkpoint
from training.second_look.ship import ship as ship_network


def report(options: argparse.Namespace) -> None:
    """Measure on the develop clips; the fusion fitted for it is not kept."""
    scorer = Scorer(scan_model(options))
    folder = run_folder(options)
    inputs = Inputs(options.weights, scorer, options.out, folder, options.every, options.architecture)
    report_checkpoint(inputs, say)


def fit(options: argparse.Namespace) -> None:
    """Run the engine on a share of the develop clips; fit fusion and thresholds once all are done."""
    model = load_with_checkpoint(scan_model(options), options.weights, options.architecture)
    card = model.card.second_look
    assert card is not None
    records = record_shares(options.data, model, _fitted(options), tuple(options.share), say)
    if records is not None:
        fitted = measure_card(records, fit_card(records, card, Parameters()), Parameters(), say)
        network = read_network(options.weights, options.architecture)
        fitted = photographs_card(
            Scorer(model.alone, still=True), network, fitted, options.out, Parameters(), say
        )
        fitted = crops_card(model, fitted, options.out, Parameters(), say)
        develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
        fitted = measure_attacks(Scorer(model.alone), network, fitted, develop, Parameters(), say)
        write_atomically(_fitted(options), (fitted.model_dump_json(indent=2) + "\n").encode())


def composed(options: argparse.Namespace) -> None:
    """Compose splices and duos, and measure the model on them."""
    figures = measure_composed(options.data, load_model(options.scan), options.out / "composed", say)
    if options.update_card:
        say(str(update_card(options.scan, composed_figures(figures))))


def stability(options: argparse.Namespace) -> None:
    """Measure how often a verdict changes with shift, scale and encoding."""
    folder = options.out / "changed"
    measure_stability(options.data, load_model(options.scan), folder, options.every, say)


def verdicts(options: argparse.Namespace) -> None:
    """Measure verdicts of the whole engine against those of its slow way."""
    folder = options.out / "verdicts"
    answers = measure_verdicts(options.data, load_model(options.scan), folder, options.every, say)
    if options.update_card:
        shipped = answers[AS_SHIPPED]
        say(str(update_card(options.scan, verdict_figures(shipped), shipped)))


def codecs(options: argparse.Namespace) -> None:
    """Measure what encoding by other codecs adds, and verdicts of such clips."""
    model, folder = load_model(options.scan), options.out / "codecs"
    added = measure_codecs(options.data, model, folder, options.every, options.manipulated, say)
    say(str(added))
    if options.update_card:
        say(str(update_codecs(options.scan, added)))


def attacked_clips(options: argparse.Namespace) -> None:
    """Measure verdicts of clips attacked against the scan."""
    folder = options.out / "attacked"
    measure_attacked_clips(options.data, load_model(options.scan), folder, options.count, say)


def heatmaps(options: argparse.Namespace) -> None:
    """Measure whether hiding what a heatmap shows lowers the answer."""
    measure_heatmaps(options.out, load_model(options.scan), options.every, say)


def composite_maps(options: argparse.Namespace) -> None:
    """Measure whether maps of composites lie on what was replaced."""
    measure_composite_maps(options.data, options.out, load_model(options.scan), say)


def left_out(options: argparse.Namespace) -> None:
    """Measure how well a generator is told that was not learnt from."""
    network = ViTSmall14(PRETRAINED)
    network.load_pretrained(pretrained(options.data))
    faces = training_patches(options.data, options.out)
    measure_left_out(options.out, faces, network, run_folder(options), say)


def left_out_scan(options: argparse.Namespace) -> None:
    """Train the scan's network without some generators, and measure how well it tells them."""
    start = ScanNetwork.from_model(scan_model(options), options.put_back)
    patches, recipe = training_patches(options.data, options.out), Recipe(examples=options.examples)
    samples = harvest(options.data, options.out / "harvest")
    last = train_without(start, patches, samples, options.generators, recipe, run_folder(options), say)
    measure_shares(start, last, options.out, options.generators, say)


def probe_sources(options: argparse.Namespace) -> None:
    """Measure how well labels are told by sharpness, size and bytes alone."""
    probe_labels(training_patches(options.data, options.out), say)


def ship(options: argparse.Namespace) -> None:
    """Write weights and description."""
    if not _fitted(options).is_file():
        raise ParameterError(f"{_fitted(options)} is missing. Run the step `fit` first.")
    fitted = SecondLookCard.model_validate_json(_fitted(options).read_bytes())
    say(
        ship_network(
            options.weights,
            fitted,
            options.data,
            options.to,
            options.scan,
            options.recipe,
            say,
        )
    )


def _fitted(options: argparse.Namespace) -> Path:
    weights: Path = options.weights
    return run_folder(options) / f"{weights.stem}.fitted.json"

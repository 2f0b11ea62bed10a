"""The steps of training the second look: each a function of its name, run with its command's options."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.errors import ParameterError
from detector.faces.framing import HEAD, INNER
from detector.files import atomic_path, write_atomically
from detector.models.card import SecondLookCard, is_name
from detector.models.card_files import load_card
from detector.models.loaded import LoadedModel, load_model, load_pair
from detector.networks.framings import FramingNetwork
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14, network_from
from detector.schema.analysis import Parameters
from detector.scoring.scorer import Scorer
from detector.training.data.face_samples import harvest
from detector.training.second_look.altered_head import fit_altered_head
from detector.training.second_look.clip_heads import clip_frames, fit_clip_head
from detector.training.second_look.examples.blends import WithBlends
from detector.training.second_look.examples.motion_pairs import motion_pairs
from detector.training.second_look.examples.patches import SOURCES, load, training_patches
from detector.training.second_look.examples.prepare import prepare as prepare_sources
from detector.training.second_look.examples.sampling import (
    HEAD_SHARES,
    TRANSFORMER_BLENDS,
    TRANSFORMER_SHARES,
    Sampler,
)
from detector.training.second_look.examples.source_probe import probe_sources as probe_labels
from detector.training.second_look.fitting.adversarial import attacked_card
from detector.training.second_look.fitting.attacked_clips import measure_attacked_clips
from detector.training.second_look.fitting.composed import measure_composed
from detector.training.second_look.fitting.composite_maps import measure_composite_maps
from detector.training.second_look.fitting.crop_calibration import crops_card
from detector.training.second_look.fitting.exhibits import record_shares
from detector.training.second_look.fitting.heatmap_check import measure_heatmaps
from detector.training.second_look.fitting.left_out_generators import measure_left_out
from detector.training.second_look.fitting.measuring import (
    WHILE_TRAINING,
    by_clip,
    clip_aucs,
    every_nth_frame,
    logits,
)
from detector.training.second_look.fitting.photograph_fusion import photographs_card
from detector.training.second_look.fitting.program_figures import (
    composed_figures,
    update_card,
    verdict_figures,
)
from detector.training.second_look.fitting.report import Inputs, read_network, report_checkpoint
from detector.training.second_look.fitting.stability import measure_stability
from detector.training.second_look.fitting.thresholds import fitted_card, measured_card
from detector.training.second_look.fitting.verdicts import AS_SHIPPED, measure_verdicts
from detector.training.second_look.halves import (
    DISTILLED,
    UPPER,
    UPPER_AGAIN,
    BlockTraining,
    distil_lower,
    new_network,
    tune_upper,
)
from detector.training.second_look.halves import (
    join as join_halves,
)
from detector.training.second_look.kept_tokens import KeptTokens, head_examples, keep_tokens
from detector.training.second_look.left_out_scan import measure_shares, train_without
from detector.training.second_look.linear_heads import fit_linear_heads
from detector.training.second_look.photograph_heads import (
    fit_photograph_heads,
    photograph_examples,
    without_photograph_heads,
)
from detector.training.second_look.scan import ScanNetwork, ScanSource, between, measure
from detector.training.second_look.scan import publish_scan as publish_network
from detector.training.second_look.scan_loop import Recipe, Trainer, tune
from detector.training.second_look.ship import loaded_with
from detector.training.second_look.ship import ship as ship_network

START, TOKENS = "start.pt", "tokens"

say = partial(print, flush=True)


def _folder(options: argparse.Namespace) -> Path:
    path: Path = options.out / "runs" / options.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _pretrained(options: argparse.Namespace) -> Path:
    path: Path = options.data / "pretrained" / "vit-small-14.int8.safetensors"
    if not path.is_file():
        raise ParameterError(f"{path}: the pretrained start is missing.")
    return path


def prepare(options: argparse.Namespace) -> None:
    """Cut the patches of every source; raises :class:`~detector.errors.ParameterError` for an unknown one."""
    unknown = sorted(set(options.sources) - set(SOURCES))
    if unknown:
        raise ParameterError(f"No such source: {', '.join(unknown)}. There are {', '.join(SOURCES)}.")
    prepare_sources(options.data, options.out, options.sources, say)


def _measure(out: Path, network: FramingNetwork) -> dict[str, Any]:
    """AUC over develop clips: of the larger head in each framing, and of their sum."""
    patches = every_nth_frame([p for p in load(out, "clips") if p.role == "develop"], WHILE_TRAINING)
    both = [logits(network, patches, framing).max(axis=1) for framing in (INNER, HEAD)]
    clips = by_clip(patches, np.column_stack(both))
    total = clip_aucs(clips, clips.scores.sum(axis=1))
    inner, head = (clip_aucs(clips, column) for column in clips.scores.T)
    return {"inner": inner, "head": head, "sum": total}


def tokens(options: argparse.Namespace) -> None:
    """Keep what the transformer makes of heads, or of inner faces and blends as well."""
    if options.of is None:
        network, seed = ViTSmall14(PRETRAINED), Recipe().seed
        network.load_pretrained(_pretrained(options))
    else:  # other examples than those its upper blocks know
        network, seed = _network_of(options.of), Recipe().seed + 1
    patches = training_patches(options.data, options.out)
    if options.inner:
        samples = harvest(options.data, options.out / "harvest")
        source = WithBlends(patches, samples, network.size, seed, TRANSFORMER_SHARES, TRANSFORMER_BLENDS)
        examples = source.batch(np.random.default_rng(seed), options.count)
    else:
        examples = head_examples(Sampler(patches, shares=HEAD_SHARES), options.count, seed)
    keep_tokens(network, examples, _folder(options) / TOKENS, say)


def upper(options: argparse.Namespace) -> None:
    """Train the transformer's upper blocks on kept tokens."""
    _train_blocks(options, tune_upper, UPPER_AGAIN if options.of else UPPER, "upper.pt")


def lower(options: argparse.Namespace) -> None:
    """Train the transformer's lower blocks on kept tokens."""
    _train_blocks(options, distil_lower, DISTILLED, "lower.pt")


def _train_blocks(
    options: argparse.Namespace,
    train: Callable[[ViTSmall14, KeptTokens, BlockTraining, Callable[[str], None]], None],
    recipe: BlockTraining,
    name: str,
) -> None:
    folder = _folder(options)
    kept = KeptTokens.read(folder / TOKENS)
    network = _network_of(options.of) if options.of else new_network(_pretrained(options))
    train(network, kept, dataclasses.replace(recipe, examples=options.examples or recipe.examples), say)
    _keep(network, folder / name)


def heads(options: argparse.Namespace) -> None:
    """Fit heads that say nothing yet on kept features."""
    folder = _folder(options)
    kept, network = KeptTokens.read(folder / TOKENS), _network_of(options.of)
    fit_linear_heads(network, np.asarray(kept.features), kept.framings, kept.targets)
    _keep(network, folder / "heads.pt")


def photographs(options: argparse.Namespace) -> None:
    """Fit the heads for photographs on features of the finished network."""
    network = read_network(options.of)
    without_photograph_heads(network)
    fit_photograph_heads(network, photograph_examples(training_patches(options.data, options.out)), say)
    _keep(network, _folder(options) / "photographs.pt")


def clips(options: argparse.Namespace) -> None:
    """Fit what whole heads of footage say of synthesis on features of the finished network."""
    network, patches = read_network(options.of), training_patches(options.data, options.out)
    fit_clip_head(network, clip_frames(patches), motion_pairs(patches), say)
    _keep(network, _folder(options) / "clips.pt")


def altered(options: argparse.Namespace) -> None:
    """Fit what inner faces say of alteration on features of the finished network."""
    network = read_network(options.of)
    fit_altered_head(network, training_patches(options.data, options.out), say)
    _keep(network, _folder(options) / "altered.pt")


def join(options: argparse.Namespace) -> None:
    """Make the start of a training of both halves."""
    folder = _folder(options)
    join_halves(folder / "lower.pt", folder / "upper.pt", folder / START)
    say(str(_measure(options.out, _network_of(folder / START))))


def _keep(network: ViTSmall14, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(network.state_dict(), temporary)


def _network_of(weights: Path) -> ViTSmall14:
    return network_from(torch.load(weights, map_location="cpu", weights_only=True))


def scan(options: argparse.Namespace) -> None:
    """Train the scan's network on from the one it has."""
    folder, recipe = _folder(options), Recipe(examples=options.examples)
    samples = harvest(options.data, options.out / "harvest")
    source = ScanSource(training_patches(options.data, options.out), samples, recipe.seed)
    develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
    network = ScanNetwork.from_model(_scan_model(options), options.put_back)
    crops = {name: [p for p in load(options.out, name) if p.role == "val"] for name in ("dfdc", "ffpp")}
    say(str(measure(develop, crops, network)[1]))
    tune(Trainer(network, recipe), source, folder, partial(measure, develop, crops), say)


def publish_scan(options: argparse.Namespace) -> None:
    """Write the scan's network as a model of another name; the one it began with stays."""
    if not is_name(options.model):
        raise ParameterError(
            f"{options.model}: names of models have small letters, digits and hyphens alone."
        )
    last = _folder(options) / "best.pt"
    if not last.is_file():
        raise ParameterError(f"{last} is missing. Run the step `scan` first.")
    start = ScanNetwork.from_model(_scan_model(options), options.put_back)
    state = between(start, last, options.share)
    validation = [p for source in ("dfdc", "ffpp") for p in load(options.out, source) if p.role == "val"]
    card, _ = load_card(options.scan)
    if options.model == card.name:
        raise ParameterError(f"{card.name} is the model that the scan began with. Give it a name of its own.")
    named = card.model_copy(update={"name": options.model})
    written = publish_network(state, named, validation, options.recipe, options.to, options.reserve)
    say(written.sha256)


def _scan_model(options: argparse.Namespace) -> LoadedModel:
    """The scan alone, whatever second look the card of the model names."""
    card, weights = load_card(options.scan)
    return load_pair(card.alone, weights)


def report(options: argparse.Namespace) -> None:
    """Measure on the develop clips; the fusion fitted for it is not kept."""
    scorer = Scorer(_scan_model(options))
    report_checkpoint(Inputs(options.weights, scorer, options.out, options.every), say)


def fit(options: argparse.Namespace) -> None:
    """Run the engine on a share of the develop clips; fit fusion and thresholds once all are done."""
    model = loaded_with(_scan_model(options), options.weights)
    card = model.card.second_look
    assert card is not None
    records = record_shares(options.data, model, _fitted(options), tuple(options.share), say)
    if records is not None:
        fitted = measured_card(records, fitted_card(records, card, Parameters()), Parameters(), say)
        network = read_network(options.weights)
        fitted = photographs_card(
            Scorer(model.alone, still=True), network, fitted, options.out, Parameters(), say
        )
        fitted = crops_card(model, fitted, options.out, Parameters(), say)
        develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
        fitted = attacked_card(Scorer(model.alone), network, fitted, develop, Parameters(), say)
        write_atomically(_fitted(options), (fitted.model_dump_json(indent=2) + "\n").encode())


def _fitted(options: argparse.Namespace) -> Path:
    weights: Path = options.weights
    return _folder(options) / f"{weights.stem}.fitted.json"


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
        say(str(update_card(options.scan, verdict_figures(answers[AS_SHIPPED]))))


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
    network.load_pretrained(_pretrained(options))
    faces = training_patches(options.data, options.out)
    measure_left_out(options.out, faces, network, _folder(options), say)


def left_out_scan(options: argparse.Namespace) -> None:
    """Train the scan's network without some generators, and measure how well it tells them."""
    start = ScanNetwork.from_model(_scan_model(options), options.put_back)
    patches, recipe = training_patches(options.data, options.out), Recipe(examples=options.examples)
    samples = harvest(options.data, options.out / "harvest")
    last = train_without(start, patches, samples, options.generators, recipe, _folder(options), say)
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
            _pretrained(options),
            options.to,
            options.scan,
            options.recipe,
            say,
        )
    )

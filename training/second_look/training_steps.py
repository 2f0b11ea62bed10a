"""Steps that produce weights of the second network and of the scan."""

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
from detector.faces.crop import HEAD, INNER
from detector.files import atomic_path
from detector.models.card import is_model_name
from detector.models.model_files import load_card
from detector.networks.vit_small_14 import PRETRAINED, FramingNetwork, ViTSmall14
from detector.progress import ReportText
from training.data.research_faces import harvest
from training.second_look.examples.patches import SOURCES, Patch, load, training_patches
from training.second_look.examples.patches import prepare as prepare_sources
from training.second_look.examples.sampling import (
    HEAD_SHARES,
    TRANSFORMER_BLENDS,
    TRANSFORMER_SHARES,
    Sampler,
    WithBlends,
)
from training.second_look.fitting.patch_scores import (
    WHILE_TRAINING,
    by_clip,
    clip_aucs,
    every_nth_frame,
    logits,
    read_network,
)
from training.second_look.linear_heads import (
    fit_altered_head,
    fit_linear_heads,
    fit_photograph_heads,
    photograph_examples,
    without_photograph_heads,
)
from training.second_look.patch_heads import fit_patch_heads, training_pairs, with_patch_heads
from training.second_look.runs import Recipe, Trainer, pretrained, report_line, run_folder, scan_model, tune
from training.second_look.scan import ScanNetwork, ScanSource, interpolate_scan, measure
from training.second_look.scan import publish_scan as publish_network
from training.second_look.transformer_blocks import (
    DISTILLED,
    UPPER,
    UPPER_AGAIN,
    BlockTraining,
    StoredTokens,
    distil_lower,
    head_examples,
    new_network,
    store_tokens,
    tune_upper,
)
from training.second_look.transformer_blocks import join as join_halves

START, TOKENS = "start.pt", "tokens"


def prepare(options: argparse.Namespace) -> None:
    """Cut the patches of every source; raise :class:`~detector.errors.ParameterError` for an unknown one."""
    unknown = sorted(set(options.sources) - set(SOURCES))
    if unknown:
        raise ParameterError(f"No such source: {', '.join(unknown)}. There are {', '.join(SOURCES)}.")
    prepare_sources(options.data, options.out, options.sources, report_line)


def tokens(options: argparse.Namespace) -> None:
    """Store the transformer's tokens of whole heads, or of inner faces and blends as well."""
    if options.of is None:
        network, seed = ViTSmall14(PRETRAINED), Recipe().seed
        network.load_pretrained(pretrained(options.data))
    else:  # other examples than those its upper blocks were trained on
        network, seed = _read_transformer(options.of), Recipe().seed + 1
    patches = training_patches(options.data, options.out)
    if options.inner:
        samples = harvest(options.data, options.out / "harvest")
        source = WithBlends(patches, samples, network.size, seed, TRANSFORMER_SHARES, TRANSFORMER_BLENDS)
        examples = source.batch(np.random.default_rng(seed), options.count)
    else:
        examples = head_examples(Sampler(patches, shares=HEAD_SHARES), options.count, seed)
    store_tokens(network, examples, run_folder(options) / TOKENS, report_line)


def upper(options: argparse.Namespace) -> None:
    """Train the transformer's upper blocks on stored tokens."""
    _train_blocks(options, tune_upper, UPPER_AGAIN if options.of else UPPER, "upper")


def lower(options: argparse.Namespace) -> None:
    """Train the transformer's lower blocks on stored tokens."""
    _train_blocks(options, distil_lower, DISTILLED, "lower")


def _train_blocks(
    options: argparse.Namespace,
    train: Callable[[ViTSmall14, StoredTokens, BlockTraining, Path, ReportText], None],
    recipe: BlockTraining,
    name: str,
) -> None:
    folder = run_folder(options)
    checkpoint = folder / f"{name}.checkpoint.pt"
    kept = StoredTokens.read(folder / TOKENS)
    network = _read_transformer(options.of) if options.of else new_network(pretrained(options.data))
    recipe = dataclasses.replace(recipe, examples=options.examples or recipe.examples)
    train(network, kept, recipe, checkpoint, report_line)
    _save(network, folder / f"{name}.pt")
    checkpoint.unlink()


def heads(options: argparse.Namespace) -> None:
    """Fit empty linear heads on stored features."""
    folder = run_folder(options)
    kept, network = StoredTokens.read(folder / TOKENS), _read_transformer(options.of)
    fit_linear_heads(network, np.asarray(kept.features), kept.framings, kept.targets)
    _save(network, folder / "heads.pt")


def photographs(options: argparse.Namespace) -> None:
    """Fit the linear heads for photographs on features of the finished network."""
    network = _read_finished(options.of)
    without_photograph_heads(network)
    fit_photograph_heads(
        network, photograph_examples(training_patches(options.data, options.out)), report_line
    )
    _save(network, run_folder(options) / "photographs.pt")


def altered(options: argparse.Namespace) -> None:
    """Fit the head *altered* of inner faces on features of the finished network."""
    network = _read_finished(options.of)
    fit_altered_head(network, training_patches(options.data, options.out), report_line)
    _save(network, run_folder(options) / "altered.pt")


def patch_heads(options: argparse.Namespace) -> None:
    """Train the heads for single patches on blends, and add them to the head *altered* of inner faces.

    If the weights already have such heads, as the shipped ones do, only the heads are trained again.
    """
    network, folder = with_patch_heads(_read_finished(options.of)), run_folder(options)
    pairs = training_pairs(training_patches(options.data, options.out))
    held_out = [patch for crops in _validation_crops(options.out).values() for patch in crops]
    fit_patch_heads(network, pairs, [patch for patch in held_out if not patch.fake], folder, report_line)
    _save(network, folder / "patch-heads.pt")


def join(options: argparse.Namespace) -> None:
    """Join both halves into the start of further training."""
    folder = run_folder(options)
    join_halves(folder / "lower.pt", folder / "upper.pt", folder / START)
    report_line(str(_measure(options.out, _read_transformer(folder / START))))


def _measure(out: Path, network: FramingNetwork) -> dict[str, Any]:
    """Return the AUC over develop clips of the larger output in each framing, and of their sum."""
    patches = every_nth_frame([p for p in load(out, "clips") if p.role == "develop"], WHILE_TRAINING)
    both = [logits(network, patches, framing).max(axis=1) for framing in (INNER, HEAD)]
    clips = by_clip(patches, np.column_stack(both))
    total = clip_aucs(clips, clips.scores.sum(axis=1))
    inner, head = (clip_aucs(clips, column) for column in clips.scores.T)
    return {"inner": inner, "head": head, "sum": total}


def _validation_crops(out: Path) -> dict[str, list[Patch]]:
    """Return the patches of role ``val`` of each large set of crops."""
    return {name: [patch for patch in load(out, name) if patch.role == "val"] for name in ("dfdc", "ffpp")}


def _save(network: ViTSmall14, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.save(network.state_dict(), temporary)


def _read_transformer(weights: Path) -> ViTSmall14:
    """Read a transformer as these steps train it."""
    network = read_network(weights, ViTSmall14.architecture)
    assert isinstance(network, ViTSmall14)
    return network


def _read_finished(weights: Path) -> ViTSmall14:
    """Read a transformer with trained blocks, also as it ships, with heads for patches, which then stay.

    Raises :class:`~detector.errors.ParameterError` for another network.
    """
    network = read_network(weights)
    if not isinstance(network, ViTSmall14):
        raise ParameterError(
            f"{weights} is a {network.architecture}. These steps fit heads of {ViTSmall14.architecture}."
        )
    return network


def scan(options: argparse.Namespace) -> None:
    """Train the scan's network further."""
    folder, recipe = run_folder(options), Recipe(examples=options.examples)
    patches = training_patches(options.data, options.out)
    source = ScanSource(patches, harvest(options.data, options.out / "harvest"), recipe.seed)
    develop = [patch for patch in load(options.out, "clips") if patch.role == "develop"]
    network = ScanNetwork.from_model(scan_model(options), options.put_back)
    crops = _validation_crops(options.out)
    report_line(str(measure(develop, crops, network)[1]))
    tune(Trainer(network, recipe), source, folder, partial(measure, develop, crops), report_line)


def publish_scan(options: argparse.Namespace) -> None:
    """Write the scan's network as a model of another name; the starting model stays."""
    if not is_model_name(options.model):
        raise ParameterError(f"{options.model}: names of models have small letters, digits and hyphens only.")
    last = run_folder(options) / "best.pt"
    if not last.is_file():
        raise ParameterError(f"{last} is missing. Run the step `scan` first.")
    start = ScanNetwork.from_model(scan_model(options), options.put_back)
    state = interpolate_scan(start, last, options.share)
    validation = [patch for crops in _validation_crops(options.out).values() for patch in crops]
    card, _ = load_card(options.scan)
    if options.model == card.name:
        raise ParameterError(f"{card.name} is the model that the scan started from. Choose another name.")
    named = card.model_copy(update={"name": options.model})
    written = publish_network(state, named, validation, options.recipe, options.to, options.reserve)
    report_line(written.sha256)

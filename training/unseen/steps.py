"""The steps of the command line, each run with its options; ``__main__`` names them."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from detector.errors import ParameterError
from detector.faces.windows import WINDOWS
from detector.files import atomic_path, write_atomically
from detector.models.loaded import load_model, load_pair
from detector.models.model_files import load_card
from detector.networks.graphs import ALTERED, INNER, window_outputs
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_windows import ViTSmall14Windows
from detector.schema.analysis import Parameters
from detector.schema.model import LEFT_OUT_PHOTOGRAPHS_FOUND, PHOTOGRAPHS_LEFT_OUT
from detector.schema.scores import logit_of
from detector.schema.strength import MaterialKind, counted_thresholds, figure_names
from detector.scoring.fusion import Fusion
from detector.scoring.scorer import Scorer
from training.data.research_faces import clip_rows
from training.publish import as_stored
from training.second_look.examples.patches import TRAIN
from training.second_look.fitting.patch_scores import logits, read_network, scan_logits
from training.second_look.fitting.thresholds import SYNTHESIS_LEVELS
from training.unseen import sets
from training.unseen.distillation import Branch, Distillation, distances, distil
from training.unseen.features import FeatureSet, Runner, keep_features
from training.unseen.heads import fitted, learnable, network_with
from training.unseen.native import native_patches
from training.unseen.page_scores import measured, page_scores, synthesis_levels, synthesised_of_folds
from training.unseen.photographs import Pictures, generated_head, left_out, synthesised_limit
from training.unseen.sets import SETS, TOKEN_SETS, prepare_photos2
from training.unseen.token_cache import TokenSet, keep, runner, start_network

say = partial(print, flush=True)


def photos2(options: argparse.Namespace) -> None:
    """Find the faces of ``photos2``."""
    prepare_photos2(options.data, options.out)


def tokens(options: argparse.Namespace) -> None:
    """Keep tokens of sets; repeats no finished share."""
    run = runner(start_network(options.data, options.weights), threads=1)
    for name in _chosen(options, TOKEN_SETS):
        drawn = TOKEN_SETS[name](options.data, options.out)
        keep(drawn, run, _tokens(options) / name, tuple(options.share), say)


def branch(options: argparse.Namespace) -> None:
    """Distil the start's upper blocks into a branch: ``branch.pt``."""
    sets = [TokenSet.read(_tokens(options) / name) for name in TOKEN_SETS]
    rows = [
        (number, row)
        for number, of_set in enumerate(sets)
        for row, sample in enumerate(of_set.samples)
        if sample.role == "train"
    ]
    checkpoint = options.out / "branch.checkpoint.pt"
    made = distil(
        start_network(options.data, options.weights),
        _transformer(options.weights),
        lambda chosen: np.stack([sets[rows[at][0]].tokens[rows[at][1]] for at in chosen]),
        len(rows),
        Distillation(),
        checkpoint,
        say,
    )
    nearest = min(
        distances(made, start_network(options.data, options.weights)).items(), key=lambda row: row[1]
    )
    say(f"nearest to the start: {nearest[0]}, {nearest[1]:.2%}")
    with atomic_path(options.out / "branch.pt") as temporary:
        torch.save(as_stored(made.state_dict(), "blocks."), temporary)
    checkpoint.unlink()


def features(options: argparse.Namespace) -> None:
    """Keep features of sets by the branch of the weights, or of a file; repeats no finished chunk."""
    made = _network(options)
    run = Runner(made)
    for name in _chosen(options, SETS):
        drawn = SETS[name](options.data, options.out)
        keep_features(run, drawn, _features(options, made) / name, tuple(options.share), say)


def scores(options: argparse.Namespace) -> None:
    """Keep what scan and inner face say of alteration in the stills: ``altered.npy`` (n, 2)."""
    path = _altered_file(options)
    if path.is_file():
        return
    card, weights = load_card(options.scan)
    patches, scorer = native_patches(options.data), Scorer(load_pair(card.alone, weights))
    inner = logits(_transformer(options.weights), patches, INNER)[:, ALTERED]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.column_stack([scan_logits(scorer, patches), inner]))


def levels(options: argparse.Namespace) -> None:
    """Write what windows say of unmanipulated stills of pages left out, for `fit` of the second look."""
    native = _windows_of(options, sets.NATIVE)
    synthesised = synthesised_of_folds(native, _windows_of(options, sets.CLIPS))
    notes = {f"{patch.source}/{patch.file}": patch.aligned for patch in native_patches(options.data)}
    found = synthesis_levels(native[0].samples, synthesised, notes)
    say(str(found))
    data = (json.dumps(dataclasses.asdict(found)) + "\n").encode()
    write_atomically(options.out / SYNTHESIS_LEVELS, data)


def evaluate(options: argparse.Namespace) -> None:
    """Measure what ships on pages left out, and print the figures; ``unseen.json`` has them."""
    native = _windows_of(options, sets.NATIVE)
    card, path = load_model(options.scan).card, _altered_file(options)
    if card.second_look is None:
        raise ParameterError(f"{options.scan} has no second look.")
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `scores` first.")
    clips = [row for row in clip_rows(options.data / "clips") if row["role"] == TRAIN]
    scores_of_pages = page_scores(
        native[0].samples,
        synthesised_of_folds(native, _windows_of(options, sets.CLIPS)),
        np.load(path),
        Fusion.of(card.second_look),
        {row["origin"] for row in clips},
    )
    notes = {f"{patch.source}/{patch.file}": patch.aligned for patch in native_patches(options.data)}
    found = measured(scores_of_pages, notes, Parameters().enter_threshold)
    for name, value in found.items():
        say(f"{name:60} {value:.3f}")
    write_atomically(options.out / "unseen.json", (json.dumps(found, indent=1) + "\n").encode())
    lines = [f"{clip.clip.partition('/')[2]},{clip.score:.5f}" for clip in scores_of_pages.clips("fused")]
    write_atomically(options.out / "unseen.csv", "\n".join(["clip,score", *lines, ""]).encode())


def _transformer(weights: Path) -> ViTSmall14:
    network = read_network(weights)
    if not isinstance(network, ViTSmall14):
        raise ParameterError(
            f"{weights} are not weights of a vision transformer. Name those of the second look."
        )
    return network


def _tokens(options: argparse.Namespace) -> Path:
    path: Path = options.out / "tokens"
    return path


def _reader(options: argparse.Namespace) -> Callable[[str], FeatureSet]:
    """Reads a set by its name, with features of the branch."""
    folder = _features(options, _network(options))
    return lambda name: FeatureSet.read(folder / name)


def _features(options: argparse.Namespace, network: ViTSmall14Windows) -> Path:
    """The folder of features and logits of ``network``, named by all weights but those of linear heads."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        if "judge" not in name and not name.startswith(("branch_centre", "branch_spread")):
            digest.update(value.numpy().tobytes())
    path: Path = options.out / "features" / digest.hexdigest()[:12]
    return path


def _altered_file(options: argparse.Namespace) -> Path:
    digest = hashlib.sha256(options.weights.read_bytes()).hexdigest()[:12]
    path: Path = options.out / "features" / f"altered-{load_card(options.scan)[0].sha256[:12]}-{digest}.npy"
    return path


def _windows_of(options: argparse.Namespace, material: str) -> list[FeatureSet]:
    """Read the sets of all windows of ``material``."""
    read = _reader(options)
    return [read(sets.set_name(material, window)) for window in range(len(WINDOWS))]


def _pictures(options: argparse.Namespace) -> list[Pictures]:
    materials = (sets.PHOTOGRAPHS, sets.NATIVE)
    return [
        Pictures(*of_window) for of_window in zip(*(_windows_of(options, m) for m in materials), strict=True)
    ]


def _chosen(options: argparse.Namespace, usual: Iterable[str]) -> Sequence[str]:
    if unknown := sorted(set(options.sets) - set(usual)):
        raise ParameterError(f"No such set: {', '.join(unknown)}. There are {', '.join(usual)}.")
    return options.sets or list(usual)


def _network(options: argparse.Namespace) -> ViTSmall14Windows:
    """Return that of the weights, or with the branch of the option ``branch``, a file of that step."""
    network = read_network(options.weights)
    if options.branch is not None:
        assert isinstance(network, ViTSmall14)
        branch = torch.load(options.branch, weights_only=True)
        return network_with(network, branch, {})
    if not isinstance(network, ViTSmall14Windows):
        raise ParameterError(f"{options.weights} has no branch. Run the steps `branch` and `heads` first.")
    return network


def heads(options: argparse.Namespace) -> None:
    """Fit the heads of windows on all of role ``train``: ``unseen.pt``, for the steps `fit` and `ship`."""
    windows = zip(_windows_of(options, sets.NATIVE), _windows_of(options, sets.CLIPS), strict=True)
    footage = [fitted(learnable(native), clips) for native, clips in windows]
    generated = [generated_head(pictures.learnable()) for pictures in _pictures(options)]
    made = network_with(
        _transformer(options.weights),
        Branch.of(_network(options)).state_dict(),
        dict(zip((*window_outputs(False), *window_outputs(True)), (*footage, *generated), strict=True)),
    )
    with atomic_path(options.out / "unseen.pt") as temporary:
        torch.save(made.state_dict(), temporary)


def photographs(options: argparse.Namespace) -> None:
    """Measure heads for photographs on generators and sources left out."""
    card = load_model(options.scan).card
    if card.second_look is None:
        raise ParameterError(f"{options.scan} has no second look.")
    formula = Fusion.of(card.second_look, still=True)
    of_photographs = MaterialKind.PHOTOGRAPH
    degrees = list(counted_thresholds(of_photographs, Parameters().enter_threshold))
    limits = [synthesised_limit(formula, logit_of(score)) for _, score in degrees]
    rows = []
    for row in left_out(_pictures(options), limits):
        rows.append(row)
        say(
            f"{row.names} ({row.pictures} pictures) and sources left out: AUC {row.auc:.3f}, found at 5 % "
            f"{row.found_at_five:.2f}; flagged {row.found:.2f}, of unmanipulated ones {row.flagged:.3f}"
        )
    names = ("AUC", LEFT_OUT_PHOTOGRAPHS_FOUND, "unmanipulated ones flagged", "manipulated ones flagged")
    mean = np.mean([row[1:5] for row in rows], axis=0).tolist()
    found = dict(zip(names, mean, strict=True))
    for name, value in found.items():
        say(f"mean, {name}: {value:.3f}")
    strengths = [None, *(strength for strength, _ in degrees)]
    counts = np.sum([np.vstack([row.judged, row.reached]) for row in rows], axis=0).tolist()
    for strength, of_classes in zip(strengths, counts, strict=True):
        for name, count in zip(figure_names(of_photographs, strength), of_classes, strict=True):
            say(f"{name}: {count}")
            found[name.removeprefix(f"{PHOTOGRAPHS_LEFT_OUT}, ")] = count
    write_atomically(options.out / "photographs.json", (json.dumps(found, indent=1) + "\n").encode())

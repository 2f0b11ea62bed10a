"""The steps of the command line, each run with its options; ``__main__`` names them."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.errors import ParameterError
from detector.files import atomic_path, write_atomically
from detector.models.loaded import load_model, load_pair
from detector.models.model_files import load_card
from detector.networks.graphs import ALTERED, HEAD, INNER, PHOTOGRAPH, SYNTHESISED
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_branch import ViTSmall14Branch
from detector.scoring.fusion import Fusion
from detector.scoring.scorer import Scorer
from training.publish import as_stored
from training.second_look.fitting.patch_scores import read_network, scan_logits
from training.unseen.distillation import Branch, Distillation, distances, distil
from training.unseen.evaluation import families, intervals, kinds
from training.unseen.features import FeatureSet, Runner, keep_features
from training.unseen.fold_models import Caches, fold_scores, head_model, inner_model, new_families, only
from training.unseen.heads import network_with
from training.unseen.photographs import Pictures, altered_head, generated_head, left_out
from training.unseen.sets import SETS, WITH_LOGITS, clips, prepare_photos2
from training.unseen.token_cache import TokenSet, keep, runner, start_network

say = partial(print, flush=True)
# Of the logits of photographs: the shares 0.75 and 0.5 of the new heads, 0.25 and 0.5 of the shipped ones, in
# standard deviations over unmanipulated photographs, times two.
_NEW_GENERATED, _OLD_GENERATED = 0.75 * 2 / 1.5, 0.25 * 2 / 2.9
_NEW_ALTERED, _OLD_ALTERED = 0.5 * 2 / 1.3, 0.5 * 2 / 2.2
_DISTILLED_ON = ("clips-head-augmented", "clips-inner-augmented", "clips-head", "clips-inner", "photographs")


def photos2(options: argparse.Namespace) -> None:
    """Find the faces of ``photos2``."""
    prepare_photos2(options.data, options.out)


def tokens(options: argparse.Namespace) -> None:
    """Keep tokens of sets; repeats no finished share."""
    run = runner(start_network(options.data, options.weights), threads=1)
    for name in _chosen(options, _DISTILLED_ON):
        drawn = SETS[name](options.data, options.out)
        keep(drawn, run, _tokens(options) / name, tuple(options.share), say)


def branch(options: argparse.Namespace) -> None:
    """Distil the start's upper blocks into a branch: ``branch.pt``."""
    sets = [TokenSet.read(_tokens(options) / name) for name in _DISTILLED_ON]
    rows = [
        (number, row)
        for number, of_set in enumerate(sets)
        for row, sample in enumerate(of_set.samples)
        if sample.role == "train"
    ]
    made = distil(
        start_network(options.data, options.weights),
        _transformer(options.weights),
        lambda chosen: np.stack([sets[rows[at][0]].tokens[rows[at][1]] for at in chosen]),
        len(rows),
        Distillation(),
        say,
    )
    nearest = min(
        distances(made, start_network(options.data, options.weights)).items(), key=lambda row: row[1]
    )
    say(f"nearest to the start: {nearest[0]}, {nearest[1]:.2%}")
    with atomic_path(options.out / "branch.pt") as temporary:
        torch.save(as_stored(made.state_dict(), "blocks."), temporary)


def features(options: argparse.Namespace) -> None:
    """Keep features of sets by the branch of the weights, or of a file; repeats no finished chunk."""
    made = _network(options)
    run = Runner(made)
    for name in _chosen(options, SETS):
        drawn = SETS[name](options.data, options.out)
        keep_features(
            run, drawn, name in WITH_LOGITS, _features(options, made) / name, tuple(options.share), say
        )


def scores(options: argparse.Namespace) -> None:
    """Keep what the scan says of the inner faces of clips."""
    card, weights = load_card(options.scan)
    path = options.out / "features" / f"scan-{card.sha256[:12]}.npy"
    if path.is_file():
        return
    out = scan_logits(Scorer(load_pair(card.alone, weights)), clips(options.out))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, out)


def evaluate(options: argparse.Namespace) -> None:
    """Measure what ships on families left out, and print the table; ``unseen.json`` has all of it."""
    read = _reader(options)
    card, inner = load_model(options.scan).card, read("clips-inner")
    caches = Caches(
        read("clips-head"), read("clips-head-augmented"), inner, read("clips-inner-augmented"),
        read("twins"), np.load(options.out / "features" / f"scan-{card.sha256[:12]}.npy")[: len(inner)],
    )  # fmt: skip
    if card.second_look is None:
        raise ParameterError(f"{options.scan} has no second look.")
    folds, items = fold_scores(caches, Fusion.of(card.second_look))
    table: dict[str, dict[str, Any]] = {}
    for name, chosen in (("all", folds), ("new", only(folds, new_families(items)))):
        rows, bounds = families(chosen), intervals(chosen)
        table[name] = {
            "kinds": {
                kind: {
                    "auc": auc,
                    "found": found,
                    "families": count,
                    "clips": number,
                    "intervals": bounds[kind],
                }
                for kind, (auc, found, count, number) in kinds(rows).items()
            },
            "families": [row.__dict__ for row in rows],
        }
        say(f"families left out, {name}: AUC; found where 5 % of {len(folds[0].real)} real clips are flagged")
        for kind, of in table[name]["kinds"].items():
            (low, high), (least, most) = of["intervals"]
            say(
                f"  {kind} ({of['families']} families, {of['clips']} clips): {of['auc']:.3f} "
                f"({low:.3f} to {high:.3f}); {of['found']:.2f} ({least:.2f} to {most:.2f})"
            )
    for row in families(folds):
        say(f"    {row.kind}: {row.family} ({row.clips}): {row.auc:.3f}, {row.found:.2f}")
    write_atomically(options.out / "unseen.json", (json.dumps(table, indent=1) + "\n").encode())


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


def _features(options: argparse.Namespace, network: ViTSmall14Branch) -> Path:
    """The folder of features and logits of ``network``, named by all weights but those of linear heads."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        if "judge" not in name and not name.startswith(("branch_centre", "branch_spread")):
            digest.update(value.numpy().tobytes())
    path: Path = options.out / "features" / digest.hexdigest()[:12]
    return path


def _chosen(options: argparse.Namespace, usual: Iterable[str]) -> Sequence[str]:
    unknown = sorted(set(options.sets) - SETS.keys())
    if unknown:
        raise ParameterError(f"No such set: {', '.join(unknown)}. There are {', '.join(SETS)}.")
    return options.sets or list(usual)


def _network(options: argparse.Namespace) -> ViTSmall14Branch:
    """That of the weights, with the branch of the option ``branch``, a file of the step of that name."""
    network = read_network(options.weights)
    if options.branch is not None:
        assert isinstance(network, ViTSmall14)
        branch = torch.load(options.branch, weights_only=True)
        return network_with(network, branch, {})
    if not isinstance(network, ViTSmall14Branch):
        raise ParameterError(f"{options.weights} has no branch. Run the steps `branch` and `heads` first.")
    return network


def heads(options: argparse.Namespace) -> None:
    """Fit the branch's heads on all of role ``train``: ``unseen.pt``, for the steps `fit` and `ship`."""
    read, shipped = _reader(options), _transformer(options.weights)
    training = [_of_training(read(name)) for name in ("clips-head", "clips-inner")]
    footage = head_model(training[0] + read("clips-head-augmented"), read("twins"))
    inner = inner_model(training[1] + read("clips-inner-augmented"))
    pictures = Pictures(
        read("photographs"), read("photographs-resaved"), read("clips-head"),
        read("twins") + read("photograph-twins"),
    ).learnable()  # fmt: skip
    generated, altered = generated_head(pictures, footage), altered_head(pictures)
    made = network_with(
        shipped,
        Branch.of(_network(options)).state_dict(),
        {
            (HEAD, SYNTHESISED): footage,
            (INNER, SYNTHESISED): inner,
            (PHOTOGRAPH, SYNTHESISED): generated.scaled(_NEW_GENERATED),
            (PHOTOGRAPH, ALTERED): altered.scaled(_NEW_ALTERED),
        },
        {(PHOTOGRAPH, SYNTHESISED): _OLD_GENERATED, (PHOTOGRAPH, ALTERED): _OLD_ALTERED},
    )
    with atomic_path(options.out / "unseen.pt") as temporary:
        torch.save(made.state_dict(), temporary)


def photographs(options: argparse.Namespace) -> None:
    """Measure heads for photographs on generators and sources left out."""
    read = _reader(options)
    pictures = Pictures(
        read("photographs"), read("photographs-resaved"), read("clips-head"),
        read("twins") + read("photograph-twins"),
    )  # fmt: skip
    footage = head_model(_of_training(read("clips-head")) + read("clips-head-augmented"), read("twins"))
    areas = []
    for name, area, count in left_out(pictures, footage):
        areas.append(area)
        say(f"{name} ({count} pictures) and sources left out: AUC {area:.3f}")
    say(f"mean: {np.mean(areas):.3f}")


def _of_training(chosen: FeatureSet) -> FeatureSet:
    return chosen.of(np.array([sample.role == "train" for sample in chosen.samples]))

"""The steps of the command line, each run with its options; ``__main__`` names them."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from detector.backends.runtimes import knows_bfloat16
from detector.errors import ParameterError
from detector.files import atomic_path, write_atomically
from detector.models.loaded import load_model, load_pair
from detector.models.model_files import load_card
from detector.networks.graphs import ALTERED, HEAD, INNER, PHOTOGRAPH, SYNTHESISED, outputs_of
from detector.networks.vit_small_14 import ViTSmall14
from detector.networks.vit_small_14_branch import ViTSmall14Branch
from detector.scoring.fusion import Fusion
from detector.scoring.scorer import Scorer
from training.second_look.examples.sampling import plain_crop
from training.second_look.fitting.patch_scores import read_network, scan_logits
from training.unseen.branch_features import FeatureSet, keep_features
from training.unseen.conversion import compiled
from training.unseen.distillation import Branch, Distillation, distances, distil
from training.unseen.evaluation import families, intervals, kinds
from training.unseen.fold_models import Caches, fold_scores, head_model, inner_model, new_families, only
from training.unseen.heads import network_with
from training.unseen.photographs import Pictures, altered_head, generated_head, left_out
from training.unseen.sets import SETS, clips, prepare_photos2
from training.unseen.token_cache import TokenSet, keep, runner, start_network

say = partial(print, flush=True)
_BATCH = 8
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
    unknown = sorted(set(options.sets) - SETS.keys())
    if unknown:
        raise ParameterError(f"No such set: {', '.join(unknown)}. There are {', '.join(SETS)}.")
    run = runner(start_network(options.data, options.weights), threads=1)
    for name in options.sets or SETS:
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
        torch.save({name: value.half().float() for name, value in made.state_dict().items()}, temporary)


def features(options: argparse.Namespace) -> None:
    """Keep features of all sets by the branch of the weights, or of a file."""
    made = _branch(options)
    for name in SETS:
        if (_tokens(options) / name).is_dir():
            keep_features(made, _tokens(options) / name, _named(made), say)


def scores(options: argparse.Namespace) -> None:
    """Keep what the scan and the inner face's *altered* say of every other plain sample of a clip."""
    path = options.out / "tokens" / "scores.npy"
    if path.is_file():
        return
    patches = clips(options.out)
    card, weights = load_card(options.scan)
    network = _network(options)
    seen: dict[tuple[str, str], int] = {}
    out = np.full((len(patches), 2), np.nan)
    out[:, 0] = scan_logits(Scorer(load_pair(card.alone, weights)), patches)
    chosen = []
    for row, patch in enumerate(patches):
        seen[patch.source, patch.file] = seen.get((patch.source, patch.file), -1) + 1
        if seen[patch.source, patch.file] % 2 == 0:
            chosen.append(row)
    model = compiled(
        network, torch.zeros(_BATCH, 3, network.size, network.size), knows_bfloat16(), options.threads
    )
    for first in range(0, len(chosen), _BATCH):
        rows = chosen[first : first + _BATCH]
        crops = np.stack([plain_crop(patches[row], INNER, network.size) for row in rows])
        padded = np.concatenate([crops, np.repeat(crops[-1:], _BATCH - len(crops), axis=0)])
        logits = model([network.normalise(torch.from_numpy(padded)).numpy()])[0]
        out[rows, 1] = logits[: len(rows), outputs_of(INNER)[ALTERED]]
        if first % (25 * _BATCH) == 0:
            say(f"inner faces: {first} of {len(chosen)}")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, out)


def evaluate(options: argparse.Namespace) -> None:
    """Measure what ships on families left out, and print the table; ``unseen.json`` has all of it."""
    read = _reader(options)
    caches = Caches(
        read("clips-head"), read("clips-head-augmented"), read("clips-inner"), read("clips-inner-augmented"),
        read("twins"), _in_shares(np.load(options.out / "tokens" / "scores.npy")),
    )  # fmt: skip
    card = load_model(options.scan).card
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
    named = _named(_branch(options))
    return lambda name: FeatureSet.read(_tokens(options) / name, named)


def _branch(options: argparse.Namespace) -> Branch:
    """That of the option ``branch``, a file of the step of that name, else of the weights."""
    if options.branch is None:
        return Branch.of(_network(options))
    made = Branch(_transformer(options.weights))
    made.load_state_dict(torch.load(options.branch, weights_only=True))
    return made.eval()


def _named(made: Branch) -> str:
    """The name of its features: what its weights are, as they ship."""
    digest = hashlib.sha256()
    for _, value in sorted(made.state_dict().items()):
        digest.update(value.half().numpy().tobytes())
    return f"branch-{digest.hexdigest()[:12]}"


def _in_shares(values: np.ndarray) -> np.ndarray:
    """Rows of samples in the order in which two shares keep them."""
    return np.concatenate([values[0::2], values[1::2]])


def _network(options: argparse.Namespace) -> ViTSmall14Branch:
    network = read_network(options.weights)
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
        _branch(options).state_dict(),
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

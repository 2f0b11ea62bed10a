"""The commands that train and measure models, which need the package ``training``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from cli.commands import AddCommand
from cli.common import progress_line
from detector.errors import ParameterError

_SPLITS = ("train", "val", "test")  # training.data.labelled_sets: not imported for a --help


def add_training_commands(add: AddCommand) -> None:
    train = add("train")
    train.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG", help="TOML recipe (default: efficientnet-lite0)"
    )
    train.add_argument("--data", type=Path, required=True, metavar="DIR")
    train.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="checkpoints and caches")
    train.add_argument(
        "--failures", type=Path, metavar="FILE", help="an evaluation's failures.json, to fine-tune on"
    )
    train.add_argument(
        "--checkpoint-only",
        action="store_true",
        help="do not publish; another recipe continues from the checkpoint",
    )
    train.set_defaults(run=_from_checkout(_train))
    calibrate = add("calibrate")
    calibrate.add_argument("model", metavar="MODEL", help="a model in models/, or the path of one")
    calibrate.add_argument("data", type=Path, metavar="DATA", help="research folder")
    calibrate.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="cache of detected faces"
    )
    calibrate.set_defaults(run=_from_checkout(_calibrate))
    evaluate = add("evaluate")
    evaluate.add_argument("model", metavar="MODEL", help="a model in models/, or the path of one")
    evaluate.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="research folder, folder with real and fake in it, CSV path,label[,group][,split], zip of crops",
    )
    evaluate.add_argument(
        "--out", type=Path, default=Path("out/evaluation"), metavar="DIR", help="figures, page, failures.json"
    )
    evaluate.add_argument(
        "--split",
        choices=(*_SPLITS, "all"),
        help="split of your own set (default: what the model was not trained on; test, if it names splits)",
    )
    evaluate.add_argument("--crops", action="store_true", help="treat each picture as a crop of one face")
    evaluate.add_argument("--quick", action="store_true", help="skip distortions and heatmaps")
    evaluate.add_argument(
        "--update-card", action="store_true", help="write the figures into the model's card"
    )
    evaluate.set_defaults(run=_from_checkout(_evaluate))
    leaderboard = add("leaderboard")
    leaderboard.add_argument("models", nargs="*", metavar="MODEL", help="names or paths (default: models/)")
    leaderboard.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    leaderboard.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="evaluations")
    leaderboard.set_defaults(run=_from_checkout(_leaderboard))


def _from_checkout(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Refuse to ``run`` a command without the package ``training``, which the wheel omits."""

    def checked(options: argparse.Namespace) -> int:
        if find_spec("training") is None:
            raise ParameterError(
                "This command needs the package training, which is not installed. Run it from a checkout of "
                "the source, or install reelproof-training."
            )
        return run(options)

    return checked


def _train(options: argparse.Namespace) -> int:
    from training.publish import publish
    from training.recipe import DEFAULT_RECIPE, read_config
    from training.train import train

    config = read_config(options.config or DEFAULT_RECIPE)
    checkpoint = train(config, options.data, options.out, options.failures)
    if options.checkpoint_only:
        print(checkpoint)
        return 0
    name, card = config.name, publish(config, checkpoint, options.data, options.failures)
    if card.rates:
        print(f"models/{name}: these weights are already published and measured; the card is unchanged.")
        return 0
    measure = f"make evaluate MODEL={name}"
    if config.set is not None:
        measure = f"python -m detector evaluate {name} DATA, with material it was not trained on"
    print(f"models/{name}: temperature {card.temperature}. Now evaluate it: {measure}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from training.evaluation.calibrate import calibrate

    for name, value in calibrate(options.model, options.data, options.out).items():
        print(f"{name:55} {value:.4f}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from training.evaluation.evaluate import evaluate, format_figures

    measured = evaluate(
        options.model,
        options.data,
        options.out,
        update_card=options.update_card,
        quick=options.quick,
        crops=options.crops,
        split=options.split,
        report=progress_line,
    )
    print(format_figures(measured))
    print(f"Page: {options.out / 'index.html'}")
    return 0


def _leaderboard(options: argparse.Namespace) -> int:
    from training.evaluation.leaderboard import leaderboard

    path = leaderboard(options.models, options.data, options.out, progress_line)
    print(path)
    return 0

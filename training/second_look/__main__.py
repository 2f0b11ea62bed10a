"""Steps of training the second look: ``python -m training.second_look STEP`` (training/docs/training.md)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2

from training.command import run_step
from training.second_look import measuring_steps, training_steps
from training.second_look.examples.patches import SOURCES
from training.second_look.runs import Recipe

AddStep = Callable[..., argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; return 2 after one line on standard error if it fails."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(options.step, options), options.data)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.second_look", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/second-look"), metavar="DIR")
    parser.add_argument("--run", dest="name", default="main", metavar="NAME", help="run (default: main)")
    parser.add_argument("--scan", "--fast", default="reelproof", metavar="MODEL", help="model of the scan")
    commands = parser.add_subparsers(required=True, metavar="STEP")

    def add(
        name: str, run: Callable[[argparse.Namespace], None], help_: str, *aliases: str
    ) -> argparse.ArgumentParser:
        step = commands.add_parser(name, help=help_, aliases=aliases)
        step.set_defaults(step=run)
        return step

    _add_training(add)
    _add_fitting(add)
    _add_measuring(add)
    _add_scan(add)
    return parser


def _add_training(add: AddStep) -> None:
    """Add the steps that produce the network's weights."""
    step = add("prepare", training_steps.prepare, "cut the patches of every source")
    step.add_argument("sources", nargs="*", default=SOURCES, metavar="SOURCE")
    step = add("tokens", training_steps.tokens, "store the pretrained transformer's tokens of whole heads")
    step.add_argument("--count", type=int, default=6400, metavar="N")
    step.add_argument(
        "--of", type=Path, metavar="FILE", help="a trained network instead of the pretrained one"
    )
    step.add_argument("--inner", action="store_true", help="of inner faces and blends as well")
    for half, train in (("upper", training_steps.upper), ("lower", training_steps.lower)):
        step = add(half, train, f"train the transformer's {half} blocks on stored tokens")
        step.add_argument("--examples", type=int, metavar="N")
        step.add_argument("--of", type=Path, metavar="FILE", help="continue from these weights")
    for name, fit, help_ in (
        ("heads", training_steps.heads, "fit empty linear heads on stored features"),
        ("photographs", training_steps.photographs, "fit the linear heads for photographs"),
        (
            "altered",
            training_steps.altered,
            "fit the head `altered` of inner faces, on generators and blends",
        ),
        (
            "patch-heads",
            training_steps.patch_heads,
            "train the heads for single patches on blends, last or anew",
        ),
    ):
        step = add(name, fit, help_)
        step.add_argument("--of", type=Path, metavar="FILE", required=True, help="weights to fit them for")
    add("join", training_steps.join, "join both halves into the start of further training")


def _add_fitting(add: AddStep) -> None:
    """Add the steps that measure, fit and ship given weights."""
    step = add("report", measuring_steps.report, "measure on the develop clips; its fusion is not stored")
    step.add_argument("weights", type=Path)
    step.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th frame of a clip")
    _add_architecture(step)
    step = add("fit", measuring_steps.fit, "run the engine on the develop clips; fit fusion and thresholds")
    step.add_argument("weights", type=Path)
    step.add_argument(
        "--share",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("K", "N"),
        help="every N-th clip, from the K-th",
    )
    _add_architecture(step)
    step = add("ship", measuring_steps.ship, "write weights and card")
    step.add_argument("weights", type=Path)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument(
        "--recipe", action="append", default=[], metavar="LINE", help="a line of the card's recipe"
    )

    add("sentences", measuring_steps.sentences, "write changed sentences of ship.py to the shipped card")


def _add_measuring(add: AddStep) -> None:
    """Add the steps that measure the shipped model."""
    step = add(
        "composed", measuring_steps.composed, "compose splices and duos, and measure the model on them"
    )
    _add_update_card(step)
    step = add(
        "stability",
        measuring_steps.stability,
        "measure how often shift, scale and encoding change a verdict",
        "steadiness",
    )
    _add_every(step)
    _add_update_card(step)
    step = add(
        "verdicts", measuring_steps.verdicts, "measure the whole engine's verdicts, and what leaves them open"
    )
    step.add_argument("--slow", action="store_true", help="compare them with those of the slow path")
    _add_every(step)
    _add_update_card(step)
    step = add("groups", measuring_steps.groups, "measure how often groups of faces are flagged")
    _add_update_card(step)
    step = add("codecs", measuring_steps.codecs, "measure what HEVC, AV1 and VP9 add to unmanipulated clips")
    step.add_argument("--manipulated", action="store_true", help="also verdicts of manipulated clips")
    _add_every(step)
    _add_update_card(step)
    step = add("attacked-clips", measuring_steps.attacked_clips, "measure clips attacked against the scan")
    step.add_argument("--count", type=int, default=20, metavar="N", help="develop clips, half manipulated")
    step = add("heatmaps", measuring_steps.heatmaps, "measure how many heatmaps their checks confirm")
    _add_every(step, "develop clip")


def _add_scan(add: AddStep) -> None:
    """Add the steps that train the scan's network."""
    step = add("scan", training_steps.scan, "train the scan's network further; resumes")
    _add_start(step)
    step.add_argument("--examples", type=int, default=Recipe().examples, metavar="N")
    step = add(
        "publish-scan", training_steps.publish_scan, "write the scan's network as a model of another name"
    )
    _add_start(step)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument("model", metavar="NAME", help="of the new model, with small letters and digits")
    step.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the way from the first weights to the last (shipped: 0.85)",
    )
    step.add_argument("--reserve", type=float, default=0.0, help="subtracted from every logit (shipped: 1.6)")
    step.add_argument("--recipe", action="append", default=[], metavar="LINE", help="a line of the card")


def _add_every(step: argparse.ArgumentParser, clip: str = "develop clip") -> None:
    step.add_argument("--every", type=int, default=1, metavar="N", help=f"every N-th {clip}")


def _add_architecture(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--architecture",
        metavar="NAME",
        help="of the weights, if it is not the shipped one and their file does not state it",
    )


def _add_update_card(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--update-card", action="store_true", help="write the figures to the second look's card"
    )


def _add_start(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--put-back",
        type=float,
        default=0.0,
        metavar="LOGITS",
        help="the reserve subtracted from the logits of the starting model (reelproof: 1.6)",
    )


if __name__ == "__main__":
    sys.exit(main())

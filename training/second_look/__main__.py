"""Steps of training the second look: ``python -m training.second_look STEP`` (docs/training/training.md)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2

from training.command import run_step
from training.second_look import measuring_steps, training_steps
from training.second_look.examples.patches import SOURCES
from training.second_look.runs import Recipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(options.step, options), options.data)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.second_look", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/second-look"), metavar="DIR")
    parser.add_argument(
        "--run", dest="name", default="main", metavar="NAME", help="which run (default: main)"
    )
    parser.add_argument(
        "--scan", "--fast", default="reelproof", metavar="MODEL", help="the model of the scan"
    )
    commands = parser.add_subparsers(required=True, metavar="STEP")
    _add_training(commands)
    _add_fitting(commands)
    _add_measuring(commands)
    _add_ship(commands)
    _add_scan(commands)
    return parser


def _add_training(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The steps that lead to the network's weights."""
    step = commands.add_parser("prepare", help="cut the patches of every source")
    step.add_argument("sources", nargs="*", default=SOURCES, metavar="SOURCE")
    step.set_defaults(step=training_steps.prepare)
    step = commands.add_parser("tokens", help="keep what the pretrained transformer makes of whole heads")
    step.add_argument("--count", type=int, default=6400, metavar="N")
    step.add_argument("--of", type=Path, metavar="FILE", help="a trained network, not the pretrained one")
    step.add_argument("--inner", action="store_true", help="of inner faces and blends as well")
    step.set_defaults(step=training_steps.tokens)
    for half, train in (("upper", training_steps.upper), ("lower", training_steps.lower)):
        step = commands.add_parser(half, help=f"train the transformer's {half} blocks on kept tokens")
        step.add_argument("--examples", type=int, metavar="N")
        step.add_argument("--of", type=Path, metavar="FILE", help="train on from these weights")
        step.set_defaults(step=train)
    for name, fit, does in (
        ("heads", training_steps.heads, "fit linear heads that say nothing yet on kept features"),
        (
            "photographs",
            training_steps.photographs,
            "fit the linear heads for photographs on features of the finished network",
        ),
        ("clips", training_steps.clips, "fit what whole heads of footage say of synthesis, on clips alone"),
        (
            "altered",
            training_steps.altered,
            "fit what inner faces say of alteration, on generators' examples and on blends",
        ),
        (
            "patch-heads",
            training_steps.patch_heads,
            "train the heads for single patches on blends, after the step altered or anew",
        ),
    ):
        step = commands.add_parser(name, help=does)
        step.add_argument("--of", type=Path, metavar="FILE", required=True, help="weights to fit them for")
        step.set_defaults(step=fit)
    step = commands.add_parser("join", help="make the start of a training of both halves")
    step.set_defaults(step=training_steps.join)


def _add_fitting(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The steps that measure and fit what given weights say."""
    step = commands.add_parser(
        "report", help="measure on the develop clips; the fusion fitted for it is not kept"
    )
    step.add_argument("weights", type=Path)
    step.add_argument("--every", type=int, default=1, metavar="N", help="look at every N-th frame of a clip")
    _add_architecture(step)
    step.set_defaults(step=measuring_steps.report)
    step = commands.add_parser("fit", help="run the engine on the develop clips; fit fusion and thresholds")
    step.add_argument("weights", type=Path)
    step.add_argument(
        "--share",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("K", "N"),
        help="every N-th clip, the K-th first",
    )
    _add_architecture(step)
    step.set_defaults(step=measuring_steps.fit)


def _add_measuring(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The steps that measure what is shipped, and what it rests on."""
    step = commands.add_parser("composed", help="compose splices and duos, and measure the model on them")
    _add_update_card(step)
    step.set_defaults(step=measuring_steps.composed)
    step = commands.add_parser(
        "stability",
        aliases=["steadiness"],
        help="how often a verdict changes with shift, scale and encoding",
    )
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th develop clip")
    step.set_defaults(step=measuring_steps.stability)
    step = commands.add_parser("verdicts", help="verdicts of the whole engine, and by its slow way")
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th develop clip")
    _add_update_card(step)
    step.set_defaults(step=measuring_steps.verdicts)
    step = commands.add_parser("codecs", help="what HEVC, AV1 and VP9 add to unmanipulated clips")
    step.add_argument("--manipulated", action="store_true", help="verdicts of manipulated ones, too")
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th develop clip")
    _add_update_card(step)
    step.set_defaults(step=measuring_steps.codecs)
    step = commands.add_parser("attacked-clips", help="verdicts of clips attacked against the scan")
    step.add_argument("--count", type=int, default=20, metavar="N", help="develop clips, half manipulated")
    step.set_defaults(step=measuring_steps.attacked_clips)
    step = commands.add_parser("heatmaps", help="whether hiding what a heatmap shows lowers the answer")
    step.add_argument("--every", type=int, default=1, metavar="N", help="every N-th manipulated develop clip")
    step.set_defaults(step=measuring_steps.heatmaps)
    step = commands.add_parser("composite-maps", help="whether maps of composites lie on what was replaced")
    step.set_defaults(step=measuring_steps.composite_maps)
    step = commands.add_parser("left-out", help="how well a generator is told that was not learnt from")
    step.set_defaults(step=measuring_steps.left_out)
    step = commands.add_parser("probe-sources", help="tell labels by sharpness, size and bytes alone")
    step.set_defaults(step=measuring_steps.probe_sources)


def _add_ship(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    step = commands.add_parser("ship", help="write weights and description")
    step.add_argument("weights", type=Path)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument(
        "--recipe", action="append", default=[], metavar="LINE", help="a line of the card's recipe"
    )
    step.set_defaults(step=measuring_steps.ship)


def _add_architecture(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--architecture",
        metavar="NAME",
        help="of the weights, if it is not the shipped one and their file does not state it",
    )


def _add_update_card(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--update-card", action="store_true", help="write the figures to the card of the shipped second look"
    )


def _add_scan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The steps that train the scan's network."""
    step = commands.add_parser("scan", help="train the scan's network on from the one it has; resumes")
    _add_start(step)
    step.add_argument("--examples", type=int, default=Recipe().examples, metavar="N")
    step.set_defaults(step=training_steps.scan)
    step = commands.add_parser("publish-scan", help="write the scan's network as a model of another name")
    _add_start(step)
    step.add_argument("to", type=Path, metavar="DIR", help="folder of the models")
    step.add_argument("model", metavar="NAME", help="of the new model, with small letters and digits")
    step.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="of the way from the first weights to the last (what ships: 0.85)",
    )
    step.add_argument("--reserve", type=float, default=0.0, help="taken off every logit (what ships: 1.6)")
    step.add_argument("--recipe", action="append", default=[], metavar="LINE", help="a line of the card")
    step.set_defaults(step=training_steps.publish_scan)
    step = commands.add_parser(
        "left-out-scan", help="train the scan's network without some generators, and measure it on them"
    )
    _add_start(step)
    step.add_argument("generators", nargs="+", metavar="PART", help="part of a name, in small letters")
    step.add_argument("--examples", type=int, default=48_000, metavar="N")
    step.set_defaults(step=measuring_steps.left_out_scan)


def _add_start(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--put-back",
        type=float,
        default=0.0,
        metavar="LOGITS",
        help="the reserve that was taken off the logits of the model it begins with (reelproof: 1.6)",
    )


if __name__ == "__main__":
    sys.exit(main())

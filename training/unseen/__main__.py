"""Generators that nobody learned from: ``python -m training.unseen STEP`` (training/docs/training.md).

In order: ``photos2``, ``tokens``, ``branch``, ``features``, ``heads`` make the network; ``features``,
``scores`` and ``evaluate`` measure on pages left out, ``photographs`` on generators and sources of
photographs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2

from training.command import run_step
from training.unseen import card, steps

_STEPS = {
    "photos2": (steps.photos2, "find the faces of photos2"),
    "branch": (steps.branch, "distil the branch from the start's upper blocks"),
    "heads": (steps.heads, "fit the heads of windows, and write the network"),
    "levels": (steps.levels, "measure what windows say of unmanipulated stills of pages left out"),
    "scores": (steps.scores, "keep what scan and inner face say of stills"),
    "evaluate": (steps.evaluate, "measure what ships on pages left out"),
    "card": (card.write_figures, "write the figures of evaluate to the second look's card"),
    "photographs": (steps.photographs, "measure photographs on generators and sources left out"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m training.unseen", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/second-look"), metavar="DIR")
    parser.add_argument("--scan", default="reelproof", metavar="MODEL", help="the model of the scan")
    parser.add_argument(
        "--weights",
        type=Path,
        default=Path("models/second-look/reelproof.safetensors"),
        metavar="FILE",
        help="the second network: its lower blocks, its branch",
    )
    parser.add_argument("--branch", type=Path, metavar="FILE", help="a branch that is not in the weights yet")
    commands = parser.add_subparsers(required=True, metavar="STEP")
    for name, (step, does) in _STEPS.items():
        commands.add_parser(name, help=does).set_defaults(step=step)
    for name, step, does in (
        ("tokens", steps.tokens, "keep tokens that the branch is distilled on"),
        ("features", steps.features, "keep features by the branch of the weights"),
    ):
        command = commands.add_parser(name, help=f"{does}, of all sets or some")
        command.add_argument("sets", nargs="*", metavar="SET")
        command.add_argument("--share", type=int, nargs=2, default=(0, 1), metavar=("K", "N"))
        command.set_defaults(step=step)
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    return run_step(partial(options.step, options), options.data)


if __name__ == "__main__":
    sys.exit(main())

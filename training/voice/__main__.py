"""Train, measure and ship the network of voices: ``python -m training.voice STEP``.

In order: ``prepare`` keeps what the start hears and fits a head without each sixth of the pages, ``tune``
tunes both encoders, ``measure``, ``splice``, ``explain`` and ``weigh`` measure, ``ship`` writes the model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from training.command import run_step
from training.voice import steps


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m training.voice", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/voice"), metavar="DIR")
    parser.add_argument(
        "--start",
        type=Path,
        default=Path("out/voice/start"),
        metavar="DIR",
        help="folder with the wheels of Whisper base and Distill-MOS",
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    commands = parser.add_subparsers(required=True, metavar="STEP")
    for name, step, does in (
        ("prepare", steps.prepare, "keep what the start hears in all recordings, and fit heads by folds"),
        ("tune", steps.tune_encoders, "tune both encoders on all pages"),
        ("measure", steps.measure, "measure by folds, and choose the thresholds"),
        ("splice", steps.splice, "measure synthetic stretches in human speech"),
        ("explain", steps.explain, "measure the heatmaps"),
        ("weigh", steps.weigh, "measure time and memory"),
        ("ship", steps.ship_model, "write the model below models/voice"),
    ):
        commands.add_parser(name, help=does).set_defaults(step=step)
    options = parser.parse_args(arguments)
    return run_step(partial(options.step, options), options.data)


if __name__ == "__main__":
    sys.exit(main())

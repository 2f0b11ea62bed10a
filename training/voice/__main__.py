"""Train, measure and ship the network of voices: ``python -m training.voice STEP``.

In order: ``prepare`` keeps what the start hears, ``tune`` tunes it without a third of the pages, ``measure``
measures on these, ``ship`` measures and writes the model.
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
        help="folder with the two wheels of Whisper base",
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    commands = parser.add_subparsers(required=True, metavar="STEP")
    for step, does in (
        (steps.prepare, "keep what the start hears in all recordings"),
        (steps.tune_encoder, "tune without a third of the pages"),
        (steps.measure, "measure on the pages left out"),
        (steps.ship_model, "measure, and write the model below models/voice"),
    ):
        name = step.__name__.partition("_")[0]
        commands.add_parser(name, help=does).set_defaults(step=step)
    options = parser.parse_args(arguments)
    return run_step(partial(options.step, options), options.data)


if __name__ == "__main__":
    sys.exit(main())

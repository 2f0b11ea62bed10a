"""Train the network that proposes faces: ``python -m detector.training.proposals STEP``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import torch

from detector.files import write_atomically
from detector.training.proposals.measure import measure
from detector.training.proposals.pictures import prepare
from detector.training.proposals.ship import onnx_of, ship
from detector.training.proposals.train import train
from detector.training.run_step import run_step

STEPS = ("prepare", "train", "measure", "ship")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m detector.training.proposals", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    parser.add_argument("--out", type=Path, default=Path("out/proposals"), metavar="DIR")
    parser.add_argument("--steps", type=int, default=4000, metavar="N", help="of training (default: 4000)")
    parser.add_argument("step", choices=STEPS, help="`ship` measures too")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # the examples take another core
    return run_step(partial(_run, options), options.data)


def _run(options: argparse.Namespace) -> None:
    if options.step == "prepare":
        print(f"{len(prepare(options.data, options.out)):,} pictures")
    elif options.step == "train":
        train(options.out, options.steps)
    else:
        onnx = onnx_of(options.out / "checkpoint.pt")
        path = options.out / "face-proposals.onnx"
        write_atomically(path, onnx)
        figures = measure(options.data, path)
        for name, value in figures.items():
            print(f"{name}: {value:.4g}")
        if options.step == "ship":
            ship(onnx, figures)


if __name__ == "__main__":
    sys.exit(main())

"""Train the network that tells covered faces: ``python -m detector.training.covered_faces STEP``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from detector.models.small_networks import COVERED_FACES
from detector.training.covered_faces.measure import measure
from detector.training.covered_faces.pictures import prepare
from detector.training.covered_faces.ship import onnx_of, ship
from detector.training.covered_faces.train import train
from detector.training.small_networks import Steps, run


def _prepare(data: Path, out: Path) -> str:
    crops = prepare(data, out)
    return f"{len(crops.faces):,} faces, {len(crops.recut):,} cut out once something was drawn"


_STEPS = Steps(COVERED_FACES, 8000, _prepare, train, onnx_of, measure, ship)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    return run(_STEPS, "python -m detector.training.covered_faces", arguments)


if __name__ == "__main__":
    sys.exit(main())

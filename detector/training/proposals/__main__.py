"""Train the network that proposes faces: ``python -m detector.training.proposals STEP``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from detector.models.small_networks import FACE_PROPOSALS
from detector.training.proposals.measure import measure
from detector.training.proposals.pictures import prepare
from detector.training.proposals.ship import onnx_of, ship
from detector.training.proposals.train import train
from detector.training.small_networks import Steps, run


def _prepare(data: Path, out: Path) -> str:
    return f"{len(prepare(data, out)):,} pictures"


_STEPS = Steps(FACE_PROPOSALS, 4000, _prepare, train, onnx_of, measure, ship)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    return run(_STEPS, "python -m detector.training.proposals", arguments)


if __name__ == "__main__":
    sys.exit(main())

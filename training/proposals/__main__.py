"""Train the network that proposes faces: ``python -m training.proposals STEP``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from detector.models.model_files import FACE_PROPOSALS
from training.proposals.examples import prepare
from training.proposals.network import measure, onnx_of, ship, train
from training.small_networks import Steps, run_command


def _prepare(data: Path, out: Path) -> str:
    return f"{len(prepare(data, out)):,} pictures"


_STEPS = Steps(FACE_PROPOSALS, 4000, _prepare, train, onnx_of, measure, ship)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    return run_command(_STEPS, "python -m training.proposals", arguments)


if __name__ == "__main__":
    sys.exit(main())

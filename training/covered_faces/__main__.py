"""Train the network that recognises covered faces: ``python -m training.covered_faces STEP``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from detector.models.model_files import COVERED_FACES
from training.covered_faces.examples import prepare
from training.covered_faces.network import measure, onnx_of, ship, train
from training.small_networks import Steps, run_command


def _prepare(data: Path, out: Path) -> str:
    crops = prepare(data, out)
    return f"{len(crops.faces):,} faces, {len(crops.recut):,} cut out once something was drawn"


_STEPS = Steps(COVERED_FACES, 8000, _prepare, train, onnx_of, measure, ship)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; 2 with one line on standard error for what cannot be done."""
    return run_command(_STEPS, "python -m training.covered_faces", arguments)


if __name__ == "__main__":
    sys.exit(main())

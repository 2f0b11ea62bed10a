"""Check an added model in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from detector.errors import ModelError
from detector.files import ROOT
from detector.process.signals import end_with_named_parent, environment_of_child
from detector.schema.formatting import N_

_TIME_LIMIT = 240  # seconds; an idle machine takes four
_REFUSED = 3  # exit status of a refusal with a reason; any other failure is a crash


def check_model(card: Path) -> None:
    """Raise :class:`ModelError` unless card and weights make a working model."""
    try:
        process = subprocess.run(
            [sys.executable, "-m", __name__, str(card)],
            cwd=ROOT,
            env=environment_of_child(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            N_(
                "Checking the model took longer than four minutes and was stopped. Try again when the "
                "machine is less busy, or with a smaller input size."
            )
        ) from None
    if process.returncode == _REFUSED:
        raise ModelError(process.stdout.decode("utf-8", "replace").strip())
    if process.returncode:
        raise ModelError(
            N_(
                "Loading the model crashed the process that tested it, so it was not added. The "
                "terminal Reelproof runs in may say why; publish the model again."
            )
        )


def main(card: Path) -> int:
    """Check one card with its weights and print the reason of a refusal."""
    end_with_named_parent()
    from detector.models.loaded import check_pair
    from detector.models.model_files import load_card
    from detector.sandbox import AllowedPaths, Limits, capabilities, confine

    os.nice(5)
    confine(Limits(), AllowedPaths(readable=(card.parent,)), card.parent, network=capabilities().network)
    try:
        model = check_pair(card.read_bytes(), load_card(card)[1])
        if model.card.onnx:
            from detector.backends.selection import try_onnx_file

            try_onnx_file(model)
    except ModelError as refusal:
        sys.stdout.buffer.write(str(refusal).encode("utf-8", "replace"))
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

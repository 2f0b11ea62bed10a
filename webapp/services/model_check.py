"""The last check of an added model, in a process of its own.

It loads the network, which takes seconds and brings torch; the web process never imports
torch, and a file made to break the loader breaks nothing but the check.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from detector.errors import ModelError
from detector.paths import ROOT
from detector.process.parent import end_with_starter, environment_of_child
from detector.schema.translatable import N_

_TIME_LIMIT = 240  # seconds; on an idle machine it takes four
_REFUSED = 3  # exit status that comes with a reason; others are accidents


def refuse_unfit(card: Path) -> None:
    """Raise :class:`ModelError` unless the card and the weights beside it make a working model."""
    try:
        ended = subprocess.run(
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
    if ended.returncode == _REFUSED:
        raise ModelError(ended.stdout.decode("utf-8", "replace").strip())
    if ended.returncode:
        raise ModelError(
            N_(
                "Loading the model ended the process that tried it, so it was not added. The terminal "
                "Reelproof runs in may say why; publish the model again."
            )
        )


def main(card: Path) -> int:
    """Check one pair; prints the reason of a refusal."""
    end_with_starter()
    from detector.models.card_files import load_card
    from detector.models.validate import check_pair
    from detector.sandbox import AllowedPaths, Limits, capabilities, confine

    os.nice(5)
    confine(Limits(), AllowedPaths(readable=(card.parent,)), card.parent, network=capabilities().network)
    try:
        model = check_pair(card.read_bytes(), load_card(card)[1])
        if model.card.onnx:
            from detector.backends.trial import try_onnx_file

            try_onnx_file(model)
    except ModelError as refusal:
        sys.stdout.buffer.write(str(refusal).encode("utf-8", "replace"))
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

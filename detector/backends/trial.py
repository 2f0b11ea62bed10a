"""The last check of a network in an ONNX file: that faces get scores, in bounded memory.

It runs the network, so it belongs in a confined process.
"""

from __future__ import annotations

import numpy as np

from detector.backends.selection import open_backend
from detector.errors import ModelError
from detector.models.loaded import LoadedModel
from detector.process.memory import peak_memory
from detector.schema.translatable import N_

MEMORY_LIMIT = 2_000_000_000
"""Bytes that a batch of crops may take beyond what was taken before the network was loaded."""
_CROPS = 32  # as many as an analysis scores at once
_APART = 0.05  # of the logit, between a crop alone and the same crop in a batch


def try_onnx_file(model: LoadedModel) -> None:
    """Raise :class:`ModelError` with the reason where ``model``, an ONNX file, cannot be used."""
    before = peak_memory()
    backend = open_backend(model)
    size = model.card.input.size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (_CROPS, size, size, 3), np.uint8)
    try:
        logits = backend.run(crops)
        alone = backend.run(crops[:1])
    except ModelError:
        raise
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            N_("%(name)s.onnx cannot score %(crops)s crops at once: %(reason)s.")
            % {"name": model.card.name, "crops": _CROPS, "reason": reason}
        ) from None
    if abs(float(logits[0] - alone[0])) > _APART:
        raise ModelError(
            N_(
                "%(name)s.onnx gives a crop another score when others are scored with it. Export the "
                "network in evaluation mode, so that a crop's score is its own."
            )
            % {"name": model.card.name}
        )
    used = peak_memory() - before
    if used > MEMORY_LIMIT:
        raise ModelError(
            N_(
                "%(name)s.onnx takes %(used)s GB of memory for %(crops)s crops; at most %(allowed)s GB "
                "are allowed. Export a smaller network or a smaller input."
            )
            % {
                "name": model.card.name,
                "used": f"{used / 1e9:.1f}",
                "crops": _CROPS,
                "allowed": f"{MEMORY_LIMIT / 1e9:.0f}",
            }
        )

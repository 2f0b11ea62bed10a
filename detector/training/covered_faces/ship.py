"""Put a trained network among the models: an ONNX file, and its card with what was measured."""

from __future__ import annotations

from pathlib import Path

from detector.faces.covered import SEEN
from detector.models.small_networks import COVERED_FACES
from detector.training import small_networks
from detector.training.covered_faces.network import CoveredNetwork
from detector.training.proposals.ship import DATA


def onnx_of(checkpoint: Path) -> bytes:
    """The network of a ``checkpoint`` as ONNX, for any number of crops.

    Raises :class:`~detector.errors.ParameterError` where there is no checkpoint yet.
    """
    return small_networks.exported(CoveredNetwork(), checkpoint, (1, 3, SEEN, SEEN), ("logit",), {0: "count"})


def ship(onnx: bytes, figures: dict[str, float]) -> None:
    """Write network and card below ``models/``."""
    taught_by = "covers drawn over bare faces"
    small_networks.ship(COVERED_FACES, onnx, figures, taught_by, taught_by, DATA)

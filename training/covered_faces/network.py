"""The network for covered faces (inverted residuals): architecture, training, measuring and shipping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.search.networks import FaceDetector
from detector.faces.tracks import COVER_CROP_SIZE, COVERED_THRESHOLD, CoverNet
from detector.media.frame import Image
from detector.models.model_files import COVERED_FACES
from detector.schema.scores import overlap
from training import small_networks
from training.covered_faces.covers import SIDE
from training.covered_faces.examples import example, load
from training.data.research_faces import read_csv
from training.proposals.examples import archive_images, spread_frames
from training.proposals.network import DATA, Residual, convolution, separable
from training.second_look.fitting.exhibits import develop_clips
from training.small_networks import train_network


class CoveredNetwork(nn.Module):
    """Map crops (n, 3, s, s), RGB in 0 to 255, to the logit (n, 1) that part of the face is covered.

    It consists of inverted residuals (Sandler et al., 2018).
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            convolution(3, 12, 3, 2), separable(12, 24, 2), Residual(24, 72), separable(24, 40, 2),
            Residual(40, 120), Residual(40, 120), separable(40, 64, 2), Residual(64, 192),
        )  # fmt: skip
        self.answer = nn.Linear(128, 1)

    def forward(self, crops: Tensor) -> Tensor:
        """See the class."""
        features = self.features(crops / 127.5 - 1)
        pooled = torch.cat([features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return cast(Tensor, self.answer(pooled))


BATCH = 64


def train(out: Path, steps: int) -> Path:
    """Train on the crops in ``out``, resuming an earlier run; return the checkpoint."""
    load(out)  # fails here, not in the process that makes examples, if nothing was prepared
    return train_network(CoveredNetwork, partial(load, out), example, _loss, out, steps, BATCH)


def _loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    crops, covered = batch
    logits = network(crops.permute(0, 3, 1, 2).float())[:, 0]
    return functional.binary_cross_entropy_with_logits(logits, covered.float())


_FRAMES = 10  # of each clip
_NARROWEST = 48.0  # px
_SAME = 0.1  # overlap of the boxes of one face, bare and covered
_MASK = (175, 205, 225)  # RGB: a pale blue
_WEAVE = 7.0  # levels; plain areas of one colour would make photographs look drawn


def measure(data: Path, onnx: Path) -> dict[str, float]:
    """Return the shares of faces below ``data`` that count as covered by the network ``onnx``.

    Covers are drawn by other rules than in training, before faces are detected: a woven mask as a polygon
    between landmarks, and a news banner across the mouth.
    """
    detect, net = FaceDetector(0.5), CoverNet(onnx)
    return _of_clips(data, detect, net) | _of_photographs(data, detect, net) | _of_crops(data, net)


def _of_clips(data: Path, detect: FaceDetector, net: CoverNet) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, label in (("unmanipulated", "real"), ("manipulated", "fake")):
        clips = [path for path, row in develop_clips(data) if row["label"] == label]
        by_clip = [
            [
                net(crop) >= COVERED_THRESHOLD
                for image in spread_frames(clip, _FRAMES)
                for crop in _crops(image, detect)
            ]
            for clip in clips
        ]
        covered = [flag for clip in by_clip for flag in clip]
        mostly = sum(np.mean(clip) > 0.5 for clip in by_clip if clip)
        title = f"{len(covered):,} faces of {len(clips)} {name} develop clips, covered"
        figures[title] = float(np.mean(covered))
        figures[f"{len(clips)} {name} develop clips, most faces covered"] = float(mostly)
    return figures


def _of_photographs(data: Path, detect: FaceDetector, net: CoverNet) -> dict[str, float]:
    stills = [row["file"] for row in read_csv(data / "stills.csv") if row["split"] != "train"]
    bare: list[bool] = []
    masked: list[bool] = []
    bannered: list[bool] = []
    for image in archive_images(data / "stills.zip", stills):
        for face in [face for face in detect(image) if face.width >= _NARROWEST][:1]:
            bare.append(net(crop_square(image, square_for_face(face), SIDE)) >= COVERED_THRESHOLD)
            masked += _again(masked_face(image, face), face, detect, net)
            bannered += _again(bannered_face(image, face), face, detect, net)
    return {
        f"{len(bare)} photographs of splits val and test, covered": float(np.mean(bare)),
        f"the {len(masked)} of them with a face still found under a drawn mask": float(np.mean(masked)),
        f"the {len(bannered)} of them likewise under a banner": float(np.mean(bannered)),
    }


def _of_crops(data: Path, net: CoverNet) -> dict[str, float]:
    names = [row["file"] for row in read_csv(data / "dfdc-test.csv")]
    crops = archive_images(data / "dfdc-test.zip", names)
    covered = [
        net(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)) >= COVERED_THRESHOLD
        for crop in crops
    ]
    return {f"{len(names):,} dfdc-test crops, covered": float(np.mean(covered))}


def masked_face(image: Image, face: Face) -> Image:
    """Draw a mask from the bridge of the nose to below the chin."""
    x0, _, x1, y1 = face.box
    eyes, nose, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[2], face.landmarks[3:].mean(axis=0)
    wide, upper = x1 - x0, eyes[1] + 0.55 * (nose[1] - eyes[1])
    outline = [
        (x0 + 0.04 * wide, upper), (nose[0], nose[1] - 0.25 * (nose[1] - eyes[1])),
        (x1 - 0.04 * wide, upper), (x1 - 0.1 * wide, mouth[1]), (x0 + 0.75 * wide, y1),
        (x0 + 0.25 * wide, y1), (x0 + 0.1 * wide, mouth[1]),
    ]  # fmt: skip
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(outline).astype(np.int32)], 255, cv2.LINE_AA)
    rng = np.random.default_rng(0)
    cloth = rng.normal(0, _WEAVE, (*image.shape[:2], 1)) + np.array(_MASK)
    share = mask[..., None] / 255
    return (image * (1 - share) + cloth.clip(0, 255) * share).astype(np.uint8)


def bannered_face(image: Image, face: Face) -> Image:
    """Draw a dark banner with words across the mouth."""
    x0, _, x1, _ = face.box
    wide, top = x1 - x0, int(face.landmarks[3:, 1].mean() - 0.08 * (x1 - x0))
    out = image.copy()
    cv2.rectangle(
        out, (int(x0 - 0.3 * wide), top), (int(x1 + 0.3 * wide), int(top + 0.22 * wide)), (30, 30, 30), -1
    )
    at, thick = (int(x0 - 0.2 * wide), int(top + 0.16 * wide)), max(1, int(wide / 80))
    cv2.putText(
        out, "BREAKING NEWS", at, cv2.FONT_HERSHEY_SIMPLEX, wide / 220, (255,) * 3, thick, cv2.LINE_AA
    )
    return out


def _crops(image: Image, detect: FaceDetector) -> Iterator[Image]:
    for face in detect(image):
        if face.width >= _NARROWEST:
            yield crop_square(image, square_for_face(face), SIDE)


def _again(image: Image, face: Face, detect: FaceDetector, net: CoverNet) -> list[bool]:
    """Return whether the face now counts as covered, if it is still detected."""
    match = max(detect(image), key=lambda other: overlap(other.box, face.box), default=None)
    if match is None or overlap(match.box, face.box) < _SAME or match.width < _NARROWEST:
        return []
    return [net(crop_square(image, square_for_face(match), SIDE)) >= COVERED_THRESHOLD]


def onnx_of(checkpoint: Path) -> bytes:
    """Export the network of a ``checkpoint`` as ONNX, for any number of crops."""
    return small_networks.export_onnx(
        CoveredNetwork(), checkpoint, (1, 3, COVER_CROP_SIZE, COVER_CROP_SIZE), ("logit",), {0: "count"}
    )


def ship(onnx: bytes, figures: dict[str, float]) -> None:
    """Write network and card below ``models/``."""
    taught_by = "covers drawn over bare faces"
    small_networks.ship(COVERED_FACES, onnx, figures, taught_by, taught_by, DATA)

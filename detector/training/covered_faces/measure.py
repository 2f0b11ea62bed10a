"""How often faces count as covered: of role ``develop`` and of other splits, bare and with something drawn.

What is drawn here is drawn by other rules than in training, before faces are looked for: a woven mask as a
polygon between landmarks, and a news banner across the mouth. Of whole analyses docs/models.md has figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from detector.faces.covered import SURE, CoverNet
from detector.faces.crop import Face, crop_square, square_for_face
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.schema.boxes import overlap
from detector.training.covered_faces.covers import SIDE
from detector.training.data.face_samples import read_csv
from detector.training.proposals.pictures import packed, spread_frames
from detector.training.second_look.fitting.exhibits import develop_clips

_FRAMES = 10  # of each clip
_NARROWEST = 48.0  # px
_SAME = 0.1  # overlap of the boxes of one face, bare and covered
_MASK = (175, 205, 225)  # RGB: a pale blue
_WEAVE = 7.0  # levels; without, photographs would pass for drawn in areas of one colour


def measure(data: Path, onnx: Path) -> dict[str, float]:
    """Shares of faces that count as covered below ``data``, by the network ``onnx``."""
    detect, net = FaceDetector(0.5), CoverNet(onnx)
    return _of_clips(data, detect, net) | _of_photographs(data, detect, net) | _of_crops(data, net)


def _of_clips(data: Path, detect: FaceDetector, net: CoverNet) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, label in (("unmanipulated", "real"), ("manipulated", "fake")):
        clips = [path for path, row in develop_clips(data) if row["label"] == label]
        by_clip = [
            [net(crop) >= SURE for image in spread_frames(clip, _FRAMES) for crop in _crops(image, detect)]
            for clip in clips
        ]
        told = [each for clip in by_clip for each in clip]
        mostly = sum(np.mean(clip) > 0.5 for clip in by_clip if clip)
        figures[f"{len(told):,} faces of {len(clips)} {name} develop clips, covered"] = float(np.mean(told))
        figures[f"{len(clips)} {name} develop clips, most faces covered"] = float(mostly)
    return figures


def _of_photographs(data: Path, detect: FaceDetector, net: CoverNet) -> dict[str, float]:
    stills = [row["file"] for row in read_csv(data / "stills.csv") if row["split"] != "train"]
    bare: list[bool] = []
    masked: list[bool] = []
    bannered: list[bool] = []
    for image in packed(data / "stills.zip", stills):
        for face in [face for face in detect(image) if face.width >= _NARROWEST][:1]:
            bare.append(net(crop_square(image, square_for_face(face), SIDE)) >= SURE)
            masked += _again(masked_face(image, face), face, detect, net)
            bannered += _again(bannered_face(image, face), face, detect, net)
    return {
        f"{len(bare)} photographs of splits val and test, covered": float(np.mean(bare)),
        f"the {len(masked)} of them with a face still found under a drawn mask": float(np.mean(masked)),
        f"the {len(bannered)} of them likewise under a banner": float(np.mean(bannered)),
    }


def _of_crops(data: Path, net: CoverNet) -> dict[str, float]:
    names = [row["file"] for row in read_csv(data / "dfdc-test.csv")]
    crops = packed(data / "dfdc-test.zip", names)
    told = [net(cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)) >= SURE for crop in crops]
    return {f"{len(names):,} dfdc-test crops, covered": float(np.mean(told))}


def masked_face(image: Image, face: Face) -> Image:
    """A mask from the bridge of the nose to below the chin."""
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
    """A dark banner with words across the mouth."""
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
    """Whether the face counts as covered now, if it is found at all."""
    found = max(detect(image), key=lambda one: overlap(one.box, face.box), default=None)
    if found is None or overlap(found.box, face.box) < _SAME or found.width < _NARROWEST:
        return []
    return [net(crop_square(image, square_for_face(found), SIDE)) >= SURE]

"""Cut every picture of the research data once: a patch around each face. Aligned clips share boxes.

The boxes found in an unmanipulated clip are also those of the fakes aligned with it, so that framing cannot
tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from detector.faces import crop
from detector.faces.framing import Box
from detector.faces.patch import cut_patch, decode, encode
from detector.faces.search.centerface import FaceDetector
from detector.media.frame import Image
from detector.progress import ReportText
from detector.training.data.clip_table import clip_rows
from detector.training.data.face_samples import read_csv
from detector.training.data.labelled_sets import opened_zip
from detector.training.second_look.examples.kinds import family
from detector.training.second_look.examples.patches import DFDC_SETS, TRAIN, Patch, store

FRAMES = {TRAIN: 12, "develop": 8}  # of a clip
SMALLEST_FACE = 36  # px
_PAD = 64  # px around a tight photograph, without which CenterFace misses many faces
_CROP_SIDE = 224  # px; crops of DFDC and FaceForensics++


@dataclass(frozen=True)
class _Known:
    """What is known of a picture before its face is found."""

    source: str
    file: str
    fake: bool
    generator: str
    group: str
    role: str
    origin: str
    aligned: str = ""

    def patch(
        self, data: bytes, size: tuple[int, int], box: Box | None, roll: float = 0.0, scale: float = 1.0,
        frame: int = 0, native: float = 0.0,
    ) -> Patch:  # fmt: skip
        return Patch(
            data, *size, box, roll, scale, self.source, self.file, frame, self.fake, self.generator,
            family(self.generator, self.fake), self.group, self.aligned, self.role, self.origin, native,
        )  # fmt: skip


def prepare(data: Path, out: Path, sources: Sequence[str], report: ReportText) -> None:
    """Cut the patches of ``sources`` from the research folder ``data`` and keep them below ``out``."""
    for source in sources:
        made = list(_MAKERS[source](data))
        store(out, source, made)
        report(f"{source}: {len(made)} patches, {sum(len(patch.data) for patch in made) / 1e6:.0f} MB")


def moments(path: Path, count: int) -> list[tuple[int, Image]]:
    """``count`` frames spread evenly over a clip, with their numbers."""
    with av.open(str(path)) as container:
        total = sum(1 for packet in container.demux(video=0) if packet.size)
    wanted = {int((i + 0.5) * total / count) for i in range(count)}
    out = []
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                out.append((number, frame.to_ndarray(format="rgb24")))
    return out


def clip_patches(data: Path, folder: str) -> Iterator[Patch]:
    """Faces of the clips of ``clips`` or ``videos``."""
    detector = FaceDetector(0.5)
    listed = clip_rows(data / folder)
    # Originals first: their boxes are those of the fakes aligned with them.
    listed.sort(key=lambda row: (row.get("aligned", ""), row["label"] == "fake", row["file"]))
    boxes: dict[tuple[str, int], list[tuple[Box, float]]] = {}
    for row in listed:
        fake, aligned, role = row["label"] == "fake", row.get("aligned", ""), row["role"]
        origin = row.get("origin", "")
        known = _Known(folder, row["file"], fake, row["generator"], row["group"], role, origin, aligned)
        count = FRAMES[role] * (2 if folder == "videos" and role == TRAIN else 1)
        for number, image in moments(data / folder / row["file"], count):
            kept = boxes.get((aligned, number)) if aligned else None
            if kept is None:
                # The largest face is the one that is meant; in unmanipulated training clips any will do.
                kept = _faces(image, detector, 2 if role == TRAIN and not fake else 1)
                if aligned:
                    boxes[aligned, number] = kept
            for box, roll in kept:
                patch, moved, scale = cut_patch(image, box)
                yield known.patch(encode(patch), patch.shape[1::-1], moved, roll, scale, number)


def _faces(image: Image, detector: FaceDetector, most: int) -> list[tuple[Box, float]]:
    """Box and roll of the largest faces, at ``most`` so many."""
    faces = [face for face in detector(image) if face.width >= SMALLEST_FACE]
    faces.sort(key=lambda face: -face.width)
    return [(face.box, crop.roll(face)) for face in faces[:most]]


def _photograph(data: bytes, detector: FaceDetector, known: _Known) -> Iterator[Patch]:
    """The largest face of a photograph, which is kept whole and as encoded."""
    image = decode(data)
    padded = cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
    for (x0, y0, x1, y1), roll in _faces(np.ascontiguousarray(padded), detector, 1):
        box = (x0 - _PAD, y0 - _PAD, x1 - _PAD, y1 - _PAD)
        yield known.patch(data, image.shape[1::-1], box, roll)


def still_patches(data: Path) -> Iterator[Patch]:
    """Faces of generated and retouched pictures and of the photographs beside them."""
    detector = FaceDetector(0.4)
    with opened_zip(data / "stills.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        for row in read_csv(data / "stills.csv"):
            fake = row["label"] == "fake"
            known = _Known(
                "stills", row["file"], fake, row["generator"], row["group"], row["split"], "stills"
            )
            yield from _photograph(archive.read(names[Path(row["file"]).name]), detector, known)


def photo_patches(data: Path) -> Iterator[Patch]:
    """Faces of unmanipulated photographs, all for training."""
    detector = FaceDetector(0.4)
    with opened_zip(data / "photos-real.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                source = "lfw" if "lfw/" in name else "utkface"
                known = _Known(source, name, False, "none", name, TRAIN, source)
                yield from _photograph(archive.read(name), detector, known)


def crop_patches(data: Path, source: str) -> Iterator[Patch]:
    """Ready-made crops of one face each, which are stored as they come."""
    for name in ("ffpp-crops",) if source == "ffpp" else DFDC_SETS:
        with opened_zip(data / f"{name}.zip") as archive:
            names = {Path(member).name: member for member in archive.namelist()}
            for row in read_csv(data / f"{name}.csv"):
                fake = row["label"] == "fake"
                generator = row.get("method", "DFDC") if fake else "none"
                group, role = row.get("group") or row["source"], row.get("split") or name.split("-")[1]
                known = _Known(source, row["file"], fake, generator, group, role, source)
                pixels = archive.read(names[Path(row["file"]).name])
                yield known.patch(
                    pixels, (_CROP_SIDE, _CROP_SIDE), None, native=float(row.get("crop_width") or 0)
                )


_MAKERS: dict[str, Callable[[Path], Iterator[Patch]]] = {
    "clips": lambda data: clip_patches(data, "clips"),
    "videos": lambda data: clip_patches(data, "videos"),
    "stills": still_patches,
    "photos": photo_patches,
    "ffpp": lambda data: crop_patches(data, "ffpp"),
    "dfdc": lambda data: crop_patches(data, "dfdc"),
}

"""Cut a patch around each face of the research data; decide which patches may be trained on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from detector.errors import ParameterError
from detector.faces import crop
from detector.faces.crop import Box
from detector.faces.patch import cut_patch, decode_jpeg, encode_jpeg
from detector.faces.search.networks import FaceDetector
from detector.files import open_atomically
from detector.media.frame import Image
from detector.progress import ReportText
from training.data.labelled_sets import open_zip
from training.data.research_faces import clip_rows, read_csv

NOT_ASKED = -1  # target of an output that is not trained on the example
# Families of manipulation
REAL = "real"
SWAP = "swap"
REENACTMENT = "reenactment"
LIP_SYNC = "lip-sync"
TALKING_HEAD = "talking head"
PICTURE = "generated picture"
COMPOSITE = "composite"

# Parts of names in small letters; the first row that matches counts, and what none matches is a talking head,
# as which text-to-video counts too: neither has a recording of this face behind it.
_BY_NAME = (
    (TALKING_HEAD, ("biodeepav",)),
    (SWAP, ("face swap", "styleswap", "unstated")),
    (LIP_SYNC, ("wav2lip", "hyperlips", "latentsync", "musetalk", "stylesync", "resyncer")),
    (REENACTMENT, ("face2face", "neuraltextures")),
    (PICTURE, ("stylegan1", "stylegan2", "flux", "kolors", "gpt-4o", "sdxl", "midjourney")),
    (COMPOSITE, ("photoshop",)),
    (
        SWAP,
        (
            "ff++",
            "deepfakes",
            "faceswap",
            "dfdc",
            "stit",
            "e4s",
            "face-adapter",
            "faceshifter",
            "hires",
            "canonswap",
            "fsgan",
            "simswap",
            "vividface",
        ),
    ),
)


def family(generator: str, fake: bool) -> str:
    """Return the family of ``generator``, by which figures are reported."""
    if not fake:
        return REAL
    name = generator.lower()
    return next((kind for kind, parts in _BY_NAME if any(part in name for part in parts)), TALKING_HEAD)


def targets(generator: str, fake: bool) -> tuple[int, int]:
    """Return the targets of the outputs (altered, synthesised).

    *altered* is a face replaced or altered in real footage, *synthesised* a face generated as a whole.
    """
    kind = family(generator, fake)
    if kind == REAL:
        return 0, 0
    if kind == LIP_SYNC and "generated" in generator:
        return 1, 1
    return (NOT_ASKED, 1) if kind in {TALKING_HEAD, PICTURE} else (1, NOT_ASKED)


TRAIN = "train"
SOURCES = ("clips", "videos", "stills", "photos", "ffpp", "dfdc")
DFDC_SETS = ("dfdc-train-0", "dfdc-val", "dfdc-test")


class RoleError(ParameterError):
    """A file whose role is not `train` was about to become a training example."""


class NotPreparedError(ParameterError):
    """The patches of a source have not been cut yet."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One face: encoded pixels, its place in them, and its labels."""

    data: bytes
    width: int
    height: int
    box: Box | None  # None: the patch is itself a crop framed like the inner square
    roll: float
    scale: float  # pixels of the patch to one of the source picture
    source: str  # clips, videos, stills, lfw, utkface, ffpp, dfdc
    file: str
    frame: int
    fake: bool
    generator: str
    family: str
    group: str
    aligned: str  # name of the set of clips aligned frame by frame, "" for none
    role: str  # train, develop, val, test
    origin: str
    native: float = 0.0  # px across the inner square in the source, if the data set states it


def store(out: Path, source: str, patches: list[Patch]) -> None:
    """Store the patches of a source below ``out``."""
    path = _path(out, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomically(path) as file:
        pickle.dump(patches, file)


def load(out: Path, source: str) -> list[Patch]:
    """Load the stored patches of a source; raise :class:`NotPreparedError` without any."""
    try:
        with _path(out, source).open("rb") as file:
            patches: list[Patch] = _Unpickler(file).load()
    except FileNotFoundError:
        raise NotPreparedError(f"{out}: no patches of {source} yet. Run the step `prepare` first.") from None
    return patches


class _Unpickler(pickle.Unpickler):
    """Loads patches that were stored when this module lay below ``detector.training``, too."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "detector.training.second_look.examples.patches":
            module = __name__
        return super().find_class(module, name)


def training_patches(data: Path, out: Path) -> list[Patch]:
    """Load patches of role ``train``, checked against the current label files; raises :class:`RoleError`."""
    chosen = []
    for source in SOURCES:
        of_source = [patch for patch in load(out, source) if patch.role == TRAIN]
        require_training(of_source, roles(data, source))
        chosen += of_source
    return chosen


def require_training(patches: Iterable[Patch], roles: dict[str, str] | None) -> None:
    """Raise :class:`RoleError` unless each patch and its file have role ``train``.

    ``roles`` are those of files, of which unlisted ones are refused; None allows every file.
    """
    for patch in patches:
        role = TRAIN if roles is None else roles.get(patch.file, "unknown")
        if patch.role != TRAIN or role != TRAIN:
            named = role if role != TRAIN else patch.role
            raise RoleError(f"{patch.source}: {patch.file} has role {named}; it may not be trained on.")


def roles(data: Path, source: str) -> dict[str, str] | None:
    """Return the role of each file of a source by its label file; None if all are for training."""
    if source == "photos":
        return None
    if source == "dfdc":
        return {
            row["file"]: name.split("-")[1] for name in DFDC_SETS for row in read_csv(data / f"{name}.csv")
        }
    if source in {"clips", "videos"}:
        return {row["file"]: row["role"] for row in read_csv(data / source / "labels.csv")}
    name = {"ffpp": "ffpp-crops"}.get(source, source)
    return {row["file"]: row["split"] for row in read_csv(data / f"{name}.csv")}


def _path(out: Path, source: str) -> Path:
    return out / "patches" / f"{source}.pickle"


FRAMES = {TRAIN: 12, "develop": 8}  # of a clip
SMALLEST_FACE = 36  # px
_PAD = 64  # px around a tight photograph, without which CenterFace misses many faces
_CROP_SIDE = 224  # px; crops of DFDC and FaceForensics++


@dataclass(frozen=True)
class _Labels:
    """The labels of a picture before its face is detected."""

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
    """Cut the patches of ``sources`` from the research folder ``data`` and store them below ``out``."""
    for source in sources:
        made = list(_MAKERS[source](data))
        store(out, source, made)
        report(f"{source}: {len(made)} patches, {sum(len(patch.data) for patch in made) / 1e6:.0f} MB")


def moments(path: Path, count: int) -> list[tuple[int, Image]]:
    """Return ``count`` evenly spaced frames of a clip, with their numbers."""
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
    """Cut the faces of the clips of ``clips`` or ``videos``.

    Boxes detected in an unmanipulated clip also serve the fakes aligned with it, so that framing does not
    distinguish them.
    """
    detector = FaceDetector(0.5)
    listed = clip_rows(data / folder)
    # Originals first: the fakes aligned with them use their boxes.
    listed.sort(key=lambda row: (row.get("aligned", ""), row["label"] == "fake", row["file"]))
    boxes: dict[tuple[str, int], list[tuple[Box, float]]] = {}
    for row in listed:
        fake, aligned, role = row["label"] == "fake", row.get("aligned", ""), row["role"]
        origin = row.get("origin", "")
        labels = _Labels(folder, row["file"], fake, row["generator"], row["group"], role, origin, aligned)
        count = FRAMES[role] * (2 if folder == "videos" and role == TRAIN else 1)
        for number, image in moments(data / folder / row["file"], count):
            faces = boxes.get((aligned, number)) if aligned else None
            if faces is None:
                # The label refers to the largest face; in unmanipulated training clips any face serves.
                faces = largest_faces(image, detector, 2 if role == TRAIN and not fake else 1)
                if aligned:
                    boxes[aligned, number] = faces
            for box, roll in faces:
                patch, moved, scale = cut_patch(image, box)
                yield labels.patch(encode_jpeg(patch), patch.shape[1::-1], moved, roll, scale, number)


def largest_faces(image: Image, detector: FaceDetector, most: int) -> list[tuple[Box, float]]:
    """Return box and roll of at ``most`` so many of the largest faces."""
    faces = [face for face in detector(image) if face.width >= SMALLEST_FACE]
    faces.sort(key=lambda face: -face.width)
    return [(face.box, crop.roll(face)) for face in faces[:most]]


def _photograph(data: bytes, detector: FaceDetector, labels: _Labels) -> Iterator[Patch]:
    """Cut the largest face of a photograph, which is stored whole and as encoded."""
    image = decode_jpeg(data)
    padded = cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
    for (x0, y0, x1, y1), roll in largest_faces(np.ascontiguousarray(padded), detector, 1):
        box = (x0 - _PAD, y0 - _PAD, x1 - _PAD, y1 - _PAD)
        yield labels.patch(data, image.shape[1::-1], box, roll)


def still_patches(data: Path) -> Iterator[Patch]:
    """Cut the faces of generated and retouched pictures and of the photographs beside them."""
    detector = FaceDetector(0.4)
    with open_zip(data / "stills.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        for row in read_csv(data / "stills.csv"):
            fake = row["label"] == "fake"
            labels = _Labels(
                "stills", row["file"], fake, row["generator"], row["group"], row["split"], "stills"
            )
            yield from _photograph(archive.read(names[Path(row["file"]).name]), detector, labels)


def photo_patches(data: Path) -> Iterator[Patch]:
    """Cut the faces of unmanipulated photographs, all for training."""
    detector = FaceDetector(0.4)
    with open_zip(data / "photos-real.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                source = "lfw" if "lfw/" in name else "utkface"
                labels = _Labels(source, name, False, "none", name, TRAIN, source)
                yield from _photograph(archive.read(name), detector, labels)


def crop_patches(data: Path, source: str) -> Iterator[Patch]:
    """Read ready-made crops of one face each, which are stored as they are."""
    for name in ("ffpp-crops",) if source == "ffpp" else DFDC_SETS:
        with open_zip(data / f"{name}.zip") as archive:
            names = {Path(member).name: member for member in archive.namelist()}
            for row in read_csv(data / f"{name}.csv"):
                fake = row["label"] == "fake"
                generator = row.get("method", "DFDC") if fake else "none"
                group, role = row.get("group") or row["source"], row.get("split") or name.split("-")[1]
                labels = _Labels(source, row["file"], fake, generator, group, role, source)
                pixels = archive.read(names[Path(row["file"]).name])
                yield labels.patch(
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

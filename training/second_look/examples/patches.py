"""Cut a patch around each face of the research data; decide which patches may be trained on."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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

NOT_ASKED = -1
REAL = "real"
SWAP = "swap"
REENACTMENT = "reenactment"
LIP_SYNC = "lip-sync"
TALKING_HEAD = "talking head"
PICTURE = "generated picture"
COMPOSITE = "composite"

_BY_NAME = {
    LIP_SYNC: ("wav2lip", "hyperlips"),
    REENACTMENT: ("face2face", "neuraltextures"),
    TALKING_HEAD: ("aniportrait", "biodeep", "edtalk", "float", "fomm", "hunyuan", "sadtalker"),
    PICTURE: ("stylegan", "flux"),
    COMPOSITE: ("photoshop",),
}


def family(generator: str, fake: bool) -> str:
    """The family of ``generator`` that figures are reported by."""
    if not fake:
        return REAL
    name = generator.lower()
    for kind, parts in _BY_NAME.items():
        if any(part in name for part in parts):
            return kind
    return SWAP


def targets(generator: str, fake: bool) -> tuple[int, int]:
    """Targets of the outputs (altered, synthesised)."""
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
    """One face: encoded pixels, where it lies in them, and what is known."""

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
    native: float = 0.0  # px across the inner square in the source, where the data set says so


def store(out: Path, source: str, patches: list[Patch]) -> None:
    """Keep the patches of a source below ``out``."""
    path = _path(out, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomically(path) as file:
        pickle.dump(patches, file)


def load(out: Path, source: str) -> list[Patch]:
    """The patches of a source, as :func:`store` kept them; raises :class:`NotPreparedError`."""
    try:
        with _path(out, source).open("rb") as file:
            found: list[Patch] = pickle.load(file)
    except FileNotFoundError:
        raise NotPreparedError(f"{out}: no patches of {source} yet. Run the step `prepare` first.") from None
    return found


def training_patches(data: Path, out: Path) -> list[Patch]:
    """Patches of role ``train``, checked against the present label files; raises :class:`RoleError`."""
    chosen = []
    for source in SOURCES:
        of_source = [patch for patch in load(out, source) if patch.role == TRAIN]
        require_training(of_source, roles(data, source))
        chosen += of_source
    return chosen


def require_training(patches: Iterable[Patch], roles: dict[str, str] | None) -> None:
    """Raise :class:`RoleError` unless each patch, and the file it is of, has role ``train``.

    ``roles`` are those of files; a file that is not listed is refused. None: every file may be trained on.
    """
    for patch in patches:
        role = TRAIN if roles is None else roles.get(patch.file, "unknown")
        if patch.role != TRAIN or role != TRAIN:
            named = role if role != TRAIN else patch.role
            raise RoleError(f"{patch.source}: {patch.file} has role {named}; it may not be trained on.")


def is_of(patch: Patch, generators: Iterable[str]) -> bool:
    """Whether it is a fake by one of ``generators``, parts of their names in small letters."""
    return patch.fake and any(name in patch.generator.lower() for name in generators)


def roles(data: Path, source: str) -> dict[str, str] | None:
    """The role of each file of a source by its label file; None where all are for training."""
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
                yield known.patch(encode_jpeg(patch), patch.shape[1::-1], moved, roll, scale, number)


def _faces(image: Image, detector: FaceDetector, most: int) -> list[tuple[Box, float]]:
    """Box and roll of the largest faces, at ``most`` so many."""
    faces = [face for face in detector(image) if face.width >= SMALLEST_FACE]
    faces.sort(key=lambda face: -face.width)
    return [(face.box, crop.roll(face)) for face in faces[:most]]


def _photograph(data: bytes, detector: FaceDetector, known: _Known) -> Iterator[Patch]:
    """The largest face of a photograph, which is kept whole and as encoded."""
    image = decode_jpeg(data)
    padded = cv2.copyMakeBorder(image, _PAD, _PAD, _PAD, _PAD, cv2.BORDER_REPLICATE)
    for (x0, y0, x1, y1), roll in _faces(np.ascontiguousarray(padded), detector, 1):
        box = (x0 - _PAD, y0 - _PAD, x1 - _PAD, y1 - _PAD)
        yield known.patch(data, image.shape[1::-1], box, roll)


def still_patches(data: Path) -> Iterator[Patch]:
    """Faces of generated and retouched pictures and of the photographs beside them."""
    detector = FaceDetector(0.4)
    with open_zip(data / "stills.zip") as archive:
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
    with open_zip(data / "photos-real.zip") as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                source = "lfw" if "lfw/" in name else "utkface"
                known = _Known(source, name, False, "none", name, TRAIN, source)
                yield from _photograph(archive.read(name), detector, known)


def crop_patches(data: Path, source: str) -> Iterator[Patch]:
    """Ready-made crops of one face each, which are stored as they come."""
    for name in ("ffpp-crops",) if source == "ffpp" else DFDC_SETS:
        with open_zip(data / f"{name}.zip") as archive:
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

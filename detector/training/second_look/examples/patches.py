"""Patches of faces with what is known of each, and which of them may be trained on."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detector.errors import ParameterError
from detector.faces.framing import Box
from detector.files import open_atomically
from detector.training.data.face_samples import read_csv

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

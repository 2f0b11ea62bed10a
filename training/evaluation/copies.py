"""Copies of research clips and photographs, with their fingerprints and other libraries' hashes."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from hashlib import sha256
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from detector.fingerprint.fingerprint import RATE, Fingerprint
from detector.fingerprint.sampling import fingerprint_file, shrink_picture
from detector.media.frame import Image
from training.data.labelled_sets import open_zip
from training.data.research_faces import read_csv
from training.evaluation.short_clips import VARIANTS, ShortClip, Variant, read_short_clip, write_short_clip

_RATE = Fraction(25)
SECONDS = 8.0  # of a clip that are copied, at most
_CORNER = 0.1  # of width and height, cut off on two sides
_QUALITY = {28: 60, 40: 20}  # of a JPEG, by the rate factor of the corresponding video
_FILM = (320, 240)  # px of composed films


def _crop_corner(film: ShortClip) -> ShortClip:
    height, width = film.frames[0].shape[:2]
    down, across = round(_CORNER * height), round(_CORNER * width)
    return ShortClip([frame[down:, across:] for frame in film.frames], film.rate)


_NAMES = ("crf 28", "crf 40", "scale 0.5", "scale 1.3", "crop 10 %", "caption bar", "mirrored")
COPIES: tuple[Variant, ...] = (
    *(variant for name in _NAMES for variant in VARIANTS if variant.name == name),
    Variant("crop 10 % at a corner", _crop_corner),
)


@dataclass(frozen=True)
class ResearchClip:
    """A clip of the research data. Only clips that share a value of ``scenes`` may match."""

    path: Path
    role: str
    scenes: frozenset[str]


@dataclass(frozen=True)
class ResearchPhoto:
    """A photograph of the research data, likewise."""

    name: str
    scenes: frozenset[str]
    read: Callable[[], Image]


def clips(data: Path) -> list[ResearchClip]:
    """Return all clips and videos below ``data``."""
    out = []
    for folder in ("clips", "videos"):
        for row in read_csv(data / folder / "labels.csv"):
            group, aligned = row.get("group") or "", row.get("aligned") or ""
            scenes = {group, aligned, row["file"]}
            if row["file"].startswith("ffpp-"):  # named after the recordings they were made of
                numbers = row["file"].removesuffix(".mp4").split("-")[-1].split("_")
                scenes |= {f"ffpp-{number}" for number in numbers}
            elif group.startswith("ffpp-"):
                scenes |= {f"ffpp-{number}" for number in group.split("-")[1:]}
            out.append(ResearchClip(data / folder / row["file"], row["role"], frozenset(scenes - {""})))
    return out


def photos(data: Path) -> list[ResearchPhoto]:
    """Return all photographs below ``data``: LFW and UTKFace, and the stills, generated ones included."""
    groups = {row["file"]: row["group"] for row in read_csv(data / "stills.csv")}
    out = []
    for name in ("photos-real.zip", "stills.zip"):
        archive = data / name
        with open_zip(archive) as opened:
            names = [member for member in opened.namelist() if member.endswith(".jpg")]
        out += [ResearchPhoto(m, frozenset({m, groups.get(m, m)}), partial(_read, archive, m)) for m in names]
    return out


def photo_copy(picture: Image, variant: Variant) -> Image:
    """Change a photograph as ``variant`` changes clips, and save it as JPEG."""
    changed = variant.change(ShortClip([picture], _RATE)).frames[0]
    quality = _QUALITY.get(variant.crf, 80)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(changed, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert ok
    return _decode(data)


def _read(archive: Path, name: str) -> Image:
    with open_zip(archive) as opened:
        return _decode(np.frombuffer(opened.read(name), np.uint8))


def _decode(data: np.ndarray) -> Image:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


# Hashes of other libraries, PDQ and ImageHash's pHash. `make evaluate-fingerprints` installs them for this
# measurement alone; without them the comparison is omitted.
Hashes = dict[str, NDArray[np.uint8]]  # (n, bytes) by name
_LARGEST = 256  # px; both reduce pictures to 64 px themselves, and are slow on large ones
_MIRRORED = 5  # of PDQ's eight: left and right exchanged


def available() -> bool:
    """Return whether both libraries are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("pdqhash", "imagehash"))


def hashes(pictures: list[Image]) -> Hashes:
    """Hash pictures; names with ``mirrored`` have the hashes of the mirrored pictures."""
    import imagehash  # type: ignore[import-not-found,unused-ignore]
    import pdqhash  # type: ignore[import-not-found,unused-ignore]

    out: dict[str, list[NDArray[np.uint8]]] = {}
    for whole in pictures:
        scale = min(1.0, _LARGEST / max(whole.shape[:2]))
        picture = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        eight, _quality = pdqhash.compute_dihedral(np.ascontiguousarray(picture))
        image = Pillow.fromarray(picture)
        mirrored = Pillow.fromarray(np.ascontiguousarray(picture[:, ::-1]))
        for name, bits in (
            ("PDQ", eight[0]),
            ("PDQ mirrored", eight[_MIRRORED]),
            ("pHash 64", imagehash.phash(image).hash),
            ("pHash 64 mirrored", imagehash.phash(mirrored).hash),
            ("pHash 256", imagehash.phash(image, hash_size=16).hash),
            ("pHash 256 mirrored", imagehash.phash(mirrored, hash_size=16).hash),
        ):
            out.setdefault(name, []).append(np.packbits(np.asarray(bits, bool).ravel()))
    return {name: np.stack(rows) for name, rows in out.items()}


def distance(name: str, copy: Hashes, original: Hashes) -> float:
    """Return the median number of differing bits over a copy's pictures, mirrored or not."""
    distances = []
    for of_copy in (name, f"{name} mirrored"):
        bits = np.bitwise_count(copy[of_copy][:, None] ^ original[name][None]).sum(axis=-1)
        distances.append(float(np.median(bits.min(axis=1))))
    return min(distances)


@dataclass(frozen=True, eq=False)
class StoredHashes:
    """The fingerprint of a clip or copy, and hashes of other libraries if these are installed."""

    fingerprint: Fingerprint
    hashes: Hashes


class HashStore:
    """Fingerprints of clips, copies and parts, computed once in ``folder``, so that a run can be resumed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def original(self, clip: ResearchClip) -> StoredHashes:
        """Return the hashes of a clip as it is."""
        return self._of(f"original {clip.path.name}", lambda folder: clip.path)

    def copy(self, clip: ResearchClip, variant: Variant) -> StoredHashes:
        """Return the hashes of the beginning of a clip, changed and encoded again."""

        def write(folder: Path) -> Path:
            whole = read_short_clip(clip.path)
            film = variant.change(ShortClip(whole.frames[: round(SECONDS * whole.rate)], whole.rate))
            return write_short_clip(film, folder / "copy.mp4", variant.crf)

        return self._of(f"{variant.name} {clip.path.name}", write)

    def film(self, number: int, parts: list[ResearchClip]) -> tuple[StoredHashes, Path]:
        """Return the hashes of a film of clips one after another, and its file."""
        path = self._folder / f"film-{number}.mp4"
        if not path.exists():
            frames = [
                np.asarray(cv2.resize(frame, _FILM, interpolation=cv2.INTER_AREA), np.uint8)
                for clip in parts
                for frame in read_short_clip(clip.path).frames[: round(SECONDS * _RATE)]
            ]
            write_short_clip(ShortClip(frames, _RATE), path, 23)
        return self._of(f"film {number}", lambda folder: path), path

    def part(self, path: Path, start: float, seconds: float, variant: Variant) -> StoredHashes:
        """Return the hashes of some seconds of a film, changed and encoded again."""

        def write(folder: Path) -> Path:
            with av.open(str(path)) as container:
                container.seek(round(start * av.time_base), backward=True)
                frames = [
                    frame.to_ndarray(format="rgb24")
                    for frame in container.decode(video=0)
                    if frame.time is not None and start <= frame.time < start + seconds
                ]
            film = variant.change(ShortClip(frames, _RATE))
            return write_short_clip(film, folder / "part.mp4", variant.crf)

        return self._of(f"{variant.name} {path.name} {start:.2f} {seconds}", write)

    def _of(self, name: str, write: Callable[[Path], Path]) -> StoredHashes:
        """Return the hashes stored under ``name``, or hash the file that ``write`` writes to a folder."""
        stored = self._folder / f"{sha256(name.encode()).hexdigest()[:24]}.npz"
        if stored.exists():
            with np.load(stored) as file:
                arrays = {key: file[key] for key in file.files}
            return StoredHashes(Fingerprint.from_bytes(arrays.pop("fingerprint").tobytes()), arrays)
        with tempfile.TemporaryDirectory() as folder:
            path = write(Path(folder))
            fingerprint = fingerprint_file(path)
            assert fingerprint is not None
            others = hashes(_sample_frames(path)) if available() else {}
        aside = stored.with_suffix(f".{os.getpid()}.npz")
        np.savez(aside, fingerprint=np.frombuffer(fingerprint.to_bytes(), np.uint8), **others)  # type: ignore[arg-type]
        aside.rename(stored)
        return StoredHashes(fingerprint, others)


def hash_photo(picture: Image) -> StoredHashes:
    """Return the hashes of a photograph."""
    size = picture.shape[1], picture.shape[0]
    others = hashes([picture]) if available() else {}
    return StoredHashes(Fingerprint(shrink_picture(picture)[None], size, True), others)


def _sample_frames(path: Path) -> list[Image]:
    film = read_short_clip(path)
    step = float(film.rate) / RATE
    count = min(len(film.frames), round(SECONDS * film.rate))
    return [film.frames[int(number * step)] for number in range(int((count - 1) / step) + 1)]

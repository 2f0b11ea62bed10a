"""Copies of research clips and photographs, with their fingerprints and other libraries' hashes."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
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
_QUALITY = {28: 60, 40: 20}  # of a JPEG, by the rate factor of the video it stands for


def _corner(film: ShortClip) -> ShortClip:
    height, width = film.frames[0].shape[:2]
    down, across = round(_CORNER * height), round(_CORNER * width)
    return ShortClip([frame[down:, across:] for frame in film.frames], film.rate)


_NAMES = ("crf 28", "crf 40", "scale 0.5", "scale 1.3", "crop 10 %", "caption bar", "mirrored")
COPIES: tuple[Variant, ...] = (
    *(variant for name in _NAMES for variant in VARIANTS if variant.name == name),
    Variant("crop 10 % at a corner", _corner),
)


@dataclass(frozen=True)
class ResearchClip:
    """A clip of the research data. Clips that share a value of ``scenes`` may show the same."""

    path: Path
    role: str
    scenes: frozenset[str]


@dataclass(frozen=True)
class ResearchPhoto:
    """A photograph, likewise."""

    name: str
    scenes: frozenset[str]
    read: Callable[[], Image]


def clips(data: Path) -> list[ResearchClip]:
    """All clips and videos below ``data``."""
    out = []
    for folder in ("clips", "videos"):
        for row in read_csv(data / folder / "labels.csv"):
            group, aligned = row.get("group") or "", row.get("aligned") or ""
            scenes = {group, aligned, row["file"]}
            if row["file"].startswith("ffpp-"):  # named for the recordings they were made of
                numbers = row["file"].removesuffix(".mp4").split("-")[-1].split("_")
                scenes |= {f"ffpp-{number}" for number in numbers}
            elif group.startswith("ffpp-"):
                scenes |= {f"ffpp-{number}" for number in group.split("-")[1:]}
            out.append(ResearchClip(data / folder / row["file"], row["role"], frozenset(scenes - {""})))
    return out


def photos(data: Path) -> list[ResearchPhoto]:
    """All photographs below ``data``: of LFW and UTKFace, and the stills, made-up ones among them."""
    groups = {row["file"]: row["group"] for row in read_csv(data / "stills.csv")}
    return [
        ResearchPhoto(name, frozenset({name, groups.get(name, name)}), reader)
        for archive in ("photos-real.zip", "stills.zip")
        for name, reader in _pictures(data / archive)
    ]


def photo_copy(picture: Image, variant: Variant) -> Image:
    """A photograph changed as a clip is by ``variant``, and saved as a JPEG."""
    changed = variant.change(ShortClip([picture], _RATE)).frames[0]
    quality = _QUALITY.get(variant.crf, 80)
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(changed, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert ok
    return _decoded(data)


def _pictures(archive: Path) -> Iterator[tuple[str, Callable[[], Image]]]:
    with open_zip(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".jpg")]
    for name in names:
        yield name, lambda name=name: _read(archive, name)  # type: ignore[misc]


def _read(archive: Path, name: str) -> Image:
    with open_zip(archive) as opened:
        return _decoded(np.frombuffer(opened.read(name), np.uint8))


def _decoded(data: np.ndarray) -> Image:
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


Hashes = dict[str, NDArray[np.uint8]]  # (n, bytes) by name
_LARGEST = 256  # px; both reduce pictures to 64 px themselves, and take long over large ones
_MIRRORED = 5  # of PDQ's eight: left and right exchanged


def available() -> bool:
    """Whether both libraries are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("pdqhash", "imagehash"))


def hashes(pictures: list[Image]) -> Hashes:
    """The hashes of pictures; with ``mirrored`` in its name that of the mirrored ones."""
    import imagehash  # type: ignore[import-not-found,unused-ignore]
    import pdqhash  # type: ignore[import-not-found,unused-ignore]

    out: dict[str, list[NDArray[np.uint8]]] = {}
    for whole in pictures:
        scale = min(1.0, _LARGEST / max(whole.shape[:2]))
        picture = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        eight, _quality = pdqhash.compute_dihedral(np.ascontiguousarray(picture))
        image = Pillow.fromarray(picture)
        turned = Pillow.fromarray(np.ascontiguousarray(picture[:, ::-1]))
        for name, bits in (
            ("PDQ", eight[0]),
            ("PDQ mirrored", eight[_MIRRORED]),
            ("pHash 64", imagehash.phash(image).hash),
            ("pHash 64 mirrored", imagehash.phash(turned).hash),
            ("pHash 256", imagehash.phash(image, hash_size=16).hash),
            ("pHash 256 mirrored", imagehash.phash(turned, hash_size=16).hash),
        ):
            out.setdefault(name, []).append(np.packbits(np.asarray(bits, bool).ravel()))
    return {name: np.stack(rows) for name, rows in out.items()}


def distance(name: str, copy: Hashes, kept: Hashes) -> float:
    """Bits by which a copy differs from what is kept, mirrored or not: of its pictures, the median."""
    found = []
    for of_copy in (name, f"{name} mirrored"):
        bits = np.bitwise_count(copy[of_copy][:, None] ^ kept[name][None]).sum(axis=-1)
        found.append(float(np.median(bits.min(axis=1))))
    return min(found)


_FILM = (320, 240)  # px of composed films
_FILM_RATE = Fraction(25)


@dataclass(frozen=True, eq=False)
class StoredHashes:
    """What is known of a clip or copy: its fingerprint, and hashes of other libraries if they are there."""

    fingerprint: Fingerprint
    hashes: Hashes


class HashStore:
    """Makes what is not in ``folder`` yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def original(self, clip: ResearchClip) -> StoredHashes:
        """A clip as it is."""
        return self._kept(f"original {clip.path.name}") or self._keep(f"original {clip.path.name}", clip.path)

    def copy(self, clip: ResearchClip, variant: Variant) -> StoredHashes:
        """The beginning of a clip, changed and encoded again."""
        name = f"{variant.name} {clip.path.name}"
        if (kept := self._kept(name)) is not None:
            return kept
        whole = read_short_clip(clip.path)
        film = variant.change(ShortClip(whole.frames[: round(SECONDS * whole.rate)], whole.rate))
        with tempfile.TemporaryDirectory() as place:
            return self._keep(name, write_short_clip(film, Path(place, "copy.mp4"), variant.crf))

    def film(self, number: int, parts: list[ResearchClip]) -> tuple[StoredHashes, Path]:
        """A film of clips one after another, and its file."""
        path = self._folder / f"film-{number}.mp4"
        name = f"film {number}"
        if not path.exists():
            frames = [
                np.asarray(cv2.resize(frame, _FILM, interpolation=cv2.INTER_AREA), np.uint8)
                for clip in parts
                for frame in read_short_clip(clip.path).frames[: round(SECONDS * _FILM_RATE)]
            ]
            write_short_clip(ShortClip(frames, _FILM_RATE), path, 23)
        return self._kept(name) or self._keep(name, path), path

    def part(self, path: Path, start: float, seconds: float, variant: Variant) -> StoredHashes:
        """Some seconds of a film, changed and encoded again."""
        name = f"{variant.name} {path.name} {start:.2f} {seconds}"
        if (kept := self._kept(name)) is not None:
            return kept
        with av.open(str(path)) as container:
            container.seek(round(start * av.time_base), backward=True)
            frames = (
                [
                    frame.to_ndarray(format="rgb24")
                    for frame in container.decode(video=0)
                    if frame.time is not None and start <= frame.time < start + seconds
                ]
                if seconds
                else []
            )
        with tempfile.TemporaryDirectory() as place:
            film = variant.change(ShortClip(frames, _FILM_RATE))
            return self._keep(name, write_short_clip(film, Path(place, "part.mp4"), variant.crf))

    def _place(self, name: str) -> Path:
        return self._folder / f"{sha256(name.encode()).hexdigest()[:24]}.npz"

    def _kept(self, name: str) -> StoredHashes | None:
        place = self._place(name)
        if not place.exists():
            return None
        with np.load(place) as kept:
            every = {key: kept[key] for key in kept.files}
        made = Fingerprint.from_bytes(every.pop("fingerprint").tobytes())
        return StoredHashes(made, every)

    def _keep(self, name: str, path: Path) -> StoredHashes:
        made = fingerprint_file(path)
        assert made is not None
        told = hashes(_sampled(path)) if available() else {}
        aside = self._place(name).with_suffix(f".{os.getpid()}.npz")
        np.savez(aside, fingerprint=np.frombuffer(made.to_bytes(), np.uint8), **told)  # type: ignore[arg-type]
        aside.rename(self._place(name))
        return StoredHashes(made, told)


def hash_photo(picture: Image) -> StoredHashes:
    """A photograph."""
    size = picture.shape[1], picture.shape[0]
    told = hashes([picture]) if available() else {}
    return StoredHashes(Fingerprint(shrink_picture(picture)[None], size, True), told)


def _sampled(path: Path) -> list[Image]:
    film = read_short_clip(path)
    step = float(film.rate) / RATE
    count = min(len(film.frames), round(SECONDS * film.rate))
    return [film.frames[int(number * step)] for number in range(int((count - 1) / step) + 1)]

"""Fingerprints of clips, copies and parts, made once and kept, so that a run that was stopped goes on."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import av
import cv2
import numpy as np

from detector.fingerprint.fingerprint import RATE, Fingerprint
from detector.fingerprint.sampling import fingerprint_of, reduced
from detector.media.frame import Image
from detector.training.evaluation.comparison.variants import Variant
from detector.training.evaluation.fingerprints import other_hashes
from detector.training.evaluation.fingerprints.copies import SECONDS, ResearchClip
from detector.training.evaluation.fingerprints.other_hashes import Hashes
from detector.training.evaluation.material.short_clips import ShortClip, read_short_clip, write_short_clip

_FILM = (320, 240)  # px of composed films
_FILM_RATE = Fraction(25)


@dataclass(frozen=True, eq=False)
class KnownHashes:
    """What is known of a clip or copy: its fingerprint, and hashes of other libraries if they are there."""

    fingerprint: Fingerprint
    hashes: Hashes


class Maker:
    """Makes what is not in ``folder`` yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def original(self, clip: ResearchClip) -> KnownHashes:
        """A clip as it is."""
        return self._kept(f"original {clip.path.name}") or self._keep(f"original {clip.path.name}", clip.path)

    def copy(self, clip: ResearchClip, variant: Variant) -> KnownHashes:
        """The beginning of a clip, changed and encoded again."""
        name = f"{variant.name} {clip.path.name}"
        if (kept := self._kept(name)) is not None:
            return kept
        whole = read_short_clip(clip.path)
        film = variant.change(ShortClip(whole.frames[: round(SECONDS * whole.rate)], whole.rate))
        with tempfile.TemporaryDirectory() as place:
            return self._keep(name, write_short_clip(film, Path(place, "copy.mp4"), variant.crf))

    def film(self, number: int, parts: list[ResearchClip]) -> tuple[KnownHashes, Path]:
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

    def part(self, path: Path, start: float, seconds: float, variant: Variant) -> KnownHashes:
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

    def _kept(self, name: str) -> KnownHashes | None:
        place = self._place(name)
        if not place.exists():
            return None
        with np.load(place) as kept:
            every = {key: kept[key] for key in kept.files}
        made = Fingerprint.from_bytes(every.pop("fingerprint").tobytes())
        return KnownHashes(made, every)

    def _keep(self, name: str, path: Path) -> KnownHashes:
        made = fingerprint_of(path)
        assert made is not None
        told = other_hashes.hashes(_sampled(path)) if other_hashes.available() else {}
        aside = self._place(name).with_suffix(f".{os.getpid()}.npz")
        np.savez(aside, fingerprint=np.frombuffer(made.to_bytes(), np.uint8), **told)  # type: ignore[arg-type]
        aside.rename(self._place(name))
        return KnownHashes(made, told)


def seen_photo(picture: Image) -> KnownHashes:
    """A photograph."""
    size = picture.shape[1], picture.shape[0]
    told = other_hashes.hashes([picture]) if other_hashes.available() else {}
    return KnownHashes(Fingerprint(reduced(picture)[None], size, True), told)


def _sampled(path: Path) -> list[Image]:
    film = read_short_clip(path)
    step = float(film.rate) / RATE
    count = min(len(film.frames), round(SECONDS * film.rate))
    return [film.frames[int(number * step)] for number in range(int((count - 1) / step) + 1)]

"""A fingerprint: small grey pictures of an exhibit, two a second, with a 256-bit code for each."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.errors import FingerprintError
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links

GreyPictures = NDArray[np.uint8]  # (n, side, side)
Codes = NDArray[np.uint64]  # (n, 4)
Floats = NDArray[np.float64]

BITS = 255  # that say something: the first one, the picture's brightness, is always 0
LEAST_CONTRAST = 3.0  # levels; the standard deviation of a picture that shows something
_FREQUENCIES, _COARSE, _POINTS = 16, 8, 32


@dataclass(frozen=True)
class Window:
    """A part of a picture, as shares of its width and height; it may reach beyond the picture's edge."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE_PICTURE = Window()


def compute_codes(pictures: NDArray[np.generic], window: Window = WHOLE_PICTURE) -> Codes:
    """(n, 4): the codes of what ``window`` shows of each picture."""
    return compute_window_codes(pictures, (window,))[0]


def compute_window_codes(pictures: NDArray[np.generic], windows: tuple[Window, ...]) -> Codes:
    """(windows, n, 4): the codes of each window of each picture."""
    down, across = _transforms(windows, pictures.shape[1], pictures.shape[2])
    waves = down[:, None] @ pictures.astype(np.float64)[None] @ across[:, None]
    signs = waves.reshape(len(windows), len(pictures), -1)[:, :, _order()] > 0
    signs[:, :, 0] = False
    return np.ascontiguousarray(np.packbits(signs, axis=-1)).view(np.uint64)


def mirror_codes(those: Codes) -> Codes:
    """The codes of the same pictures, left and right exchanged: odd waves across change their sign."""
    return those ^ _odd_across()


def code_distances(one: Codes, other: Codes) -> NDArray[np.intp]:
    """(n, m): bits by which each code of one differs from each of the other."""
    one, other = one.reshape(-1, 4), other.reshape(-1, 4)
    total = np.zeros((len(one), len(other)), np.int16)
    for word in range(4):
        total += np.bitwise_count(one[:, None, word] ^ other[None, :, word])
    return total.astype(np.intp)


def code_similarity(one: Codes, other: Codes) -> Floats:
    """(n, m): how alike they are: 1 the same, 0 as chance has it, below 0 opposites."""
    return 1 - 2 * code_distances(one, other) / BITS


@cache
def _transforms(windows: tuple[Window, ...], height: int, width: int) -> tuple[Floats, Floats]:
    """(windows, frequencies, height) and (windows, width, frequencies)."""
    down = np.stack([_transform(window.top, window.bottom, height) for window in windows])
    across = np.stack([_transform(window.left, window.right, width).T for window in windows])
    return down, across


def _transform(start: float, end: float, side: int) -> Floats:
    """(frequencies, side): points of a window along one axis, and the cosine transform of these."""
    points = (start + (end - start) * (np.arange(_POINTS) + 0.5) / _POINTS) * side - 0.5
    points = np.clip(points, 0, side - 1)  # beyond the edge the picture goes on as it ends
    below = np.minimum(points.astype(int), side - 2)
    share = points - below
    taken = np.zeros((_POINTS, side))
    taken[np.arange(_POINTS), below] = 1 - share
    taken[np.arange(_POINTS), below + 1] += share
    waves = np.cos(np.pi / _POINTS * np.outer(np.arange(_FREQUENCIES), np.arange(_POINTS) + 0.5))
    return np.asarray(waves @ taken)


@cache
def _order() -> NDArray[np.intp]:
    """Places of the frequencies, the coarse ones first."""
    down, across = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
    fine = (down >= _COARSE) | (across >= _COARSE)
    return np.argsort(fine, kind="stable")


@cache
def _odd_across() -> Codes:
    odd = (_order() % _FREQUENCIES) % 2 == 1
    return np.ascontiguousarray(np.packbits(odd[None], axis=1)).view(np.uint64)


VERSION = 2  # of pictures and codes; fingerprints of another version are made anew
RATE = 2  # pictures a second
SIDE = 24  # px, both ways
MOST_PICTURES = 2 * 60 * 60 * RATE  # pictures: the first two hours
MOST_LOOKS = 128  # of one fingerprint in the index
_NEW_LOOK = 30  # bits of 256 by which a picture differs from the look before, to be another one

_HEADER = struct.Struct(">4sBIII")
_MAGIC = b"RPF1"


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """``pictures`` (n, SIDE, SIDE), grey, one each 1/RATE seconds from the start; of a photo one.

    ``size`` is width and height of the upright frames they were made of.
    """

    pictures: GreyPictures
    size: tuple[int, int]
    still: bool

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def duration(self) -> float:
        """Seconds that the pictures stand for; 0 of a photo."""
        return 0.0 if self.still else len(self) / RATE

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(n,): pictures that show something; black or plain ones say nothing."""
        return np.asarray(self.pictures.std(axis=(1, 2)) >= LEAST_CONTRAST)

    @cached_property
    def codes(self) -> Codes:
        """(n, 4): the codes of the whole pictures."""
        return compute_codes(self.pictures)

    @cached_property
    def looks(self) -> NDArray[np.intp]:
        """Numbers of the pictures that go into the index: each differs from the one before it."""
        chosen: list[int] = []
        apart = _NEW_LOOK
        while True:
            for number in np.flatnonzero(self.usable).tolist():
                if not chosen or code_distances(self.codes[number], self.codes[chosen[-1]])[0] > apart:
                    chosen.append(number)
            if len(chosen) <= MOST_LOOKS:
                return np.array(chosen, np.intp)
            chosen, apart = [], apart + 10
            if apart > 100:  # hours of pictures that have nothing in common
                every = np.flatnonzero(self.usable)
                return every[np.linspace(0, len(every) - 1, MOST_LOOKS).astype(np.intp)]

    def to_bytes(self) -> bytes:
        """As it is kept: differences from picture to picture, compressed."""
        steps = np.diff(self.pictures, axis=0, prepend=np.zeros((1, SIDE, SIDE), np.uint8))
        header = _HEADER.pack(_MAGIC, self.still, *self.size, len(self))
        return header + zlib.compress(steps.tobytes(), 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote; raises :class:`FingerprintError` for anything else."""
        try:
            magic, still, width, height, count = _HEADER.unpack_from(data)
            if magic != _MAGIC or not 0 < count <= MOST_PICTURES:
                raise ValueError
            wanted = count * SIDE * SIDE
            opened = zlib.decompressobj()
            raw = opened.decompress(data[_HEADER.size :], wanted)
            if len(raw) != wanted:
                raise ValueError
        except (struct.error, zlib.error, ValueError):
            raise FingerprintError("This is no fingerprint of an exhibit. Make it anew.") from None
        steps = np.frombuffer(raw, np.uint8).reshape(count, SIDE, SIDE)
        return cls(np.cumsum(steps, axis=0, dtype=np.uint8), (width, height), bool(still))


_RESULT = "fingerprint.bin"


def fingerprint_confined(path: Path, folder: Path, limits: Limits) -> Fingerprint | None:
    """The fingerprint of the file at ``path``, by way of ``folder``, an empty one; none of no pictures.

    Raises :class:`~detector.errors.MediaError`, and :mod:`detector.sandbox`'s errors for a file that takes
    too much or breaks what reads it.
    """
    path, folder = path.absolute(), folder.absolute()
    places = AllowedPaths(readable=(path,), writable=(folder,))
    modules = ("detector.fingerprint.sampling",)
    with Sandbox(_made, path, folder, limits=limits, places=places, modules=modules) as confined:
        confined.result()
    refuse_links(folder)
    found = folder / _RESULT
    return Fingerprint.from_bytes(found.read_bytes()) if found.exists() else None


def _made(path: Path, folder: Path, _report: Progress) -> None:
    from detector.fingerprint.sampling import fingerprint_file

    found = fingerprint_file(path)
    if found is not None:
        (folder / _RESULT).write_bytes(found.to_bytes())

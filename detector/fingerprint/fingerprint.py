"""A fingerprint: small grey pictures of an exhibit, two a second, with a 256-bit code for each."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.errors import FingerprintError

GreyPictures = NDArray[np.uint8]  # (n, side, side)
Codes = NDArray[np.uint64]  # (n, 4)
Floats = NDArray[np.float64]

# The code of a picture consists of the signs of its lowest frequencies (discrete cosine transform).
BITS = 255  # informative bits; the first one, the brightness of the picture, is always 0
LEAST_CONTRAST = 3.0  # least standard deviation, in levels, of a picture that shows something
_FREQUENCIES, _COARSE, _POINTS = 16, 8, 32


@dataclass(frozen=True)
class Window:
    """A part of a picture, as shares of its width and height; it may extend beyond the picture."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


WHOLE_PICTURE = Window()


def compute_codes(pictures: NDArray[np.generic], window: Window = WHOLE_PICTURE) -> Codes:
    """Return the codes (n, 4) of ``window`` in each picture."""
    return compute_window_codes(pictures, (window,))[0]


def compute_window_codes(pictures: NDArray[np.generic], windows: tuple[Window, ...]) -> Codes:
    """Return the codes (windows, n, 4) of each window in each picture."""
    down, across = _transforms(windows, pictures.shape[1], pictures.shape[2])
    waves = down[:, None] @ pictures.astype(np.float64)[None] @ across[:, None]
    signs = waves.reshape(len(windows), len(pictures), -1)[:, :, _order()] > 0
    signs[:, :, 0] = False
    return np.ascontiguousarray(np.packbits(signs, axis=-1)).view(np.uint64)


def mirror_codes(codes: Codes) -> Codes:
    """Return the codes of the mirrored pictures: odd horizontal frequencies change their sign."""
    return codes ^ _odd_across()


def code_distances(a: Codes, b: Codes) -> NDArray[np.intp]:
    """Return the number of different bits (n, m) between each code of ``a`` and each of ``b``."""
    a, b = a.reshape(-1, 4), b.reshape(-1, 4)
    total = np.zeros((len(a), len(b)), np.int16)
    for word in range(4):
        total += np.bitwise_count(a[:, None, word] ^ b[None, :, word])
    return total.astype(np.intp)


def code_similarity(a: Codes, b: Codes) -> Floats:
    """Return the similarity (n, m) of codes: 1 for identical ones, 0 for chance, below 0 for opposites."""
    return 1 - 2 * code_distances(a, b) / BITS


@cache
def _transforms(windows: tuple[Window, ...], height: int, width: int) -> tuple[Floats, Floats]:
    """Return transforms down (windows, frequencies, height) and across (windows, width, frequencies)."""
    down = np.stack([_transform(window.top, window.bottom, height) for window in windows])
    across = np.stack([_transform(window.left, window.right, width).T for window in windows])
    return down, across


def _transform(start: float, end: float, side: int) -> Floats:
    """Return the cosine transform (frequencies, side) of the points of a window along one axis."""
    waves = np.cos(np.pi / _POINTS * np.outer(np.arange(_FREQUENCIES), np.arange(_POINTS) + 0.5))
    return np.asarray(waves @ sample_weights(start, end, side, _POINTS))


def sample_weights(start: float, end: float, side: int, count: int) -> Floats:
    """Return the weights (count, side) that sample ``count`` points of a window linearly along one axis.

    Beyond the picture its edge is repeated.
    """
    points = np.clip((start + (end - start) * (np.arange(count) + 0.5) / count) * side - 0.5, 0, side - 1)
    below = np.minimum(points.astype(int), side - 2)
    weights = np.zeros((count, side))
    weights[np.arange(count), below] = 1 - (points - below)
    weights[np.arange(count), below + 1] += points - below
    return weights


@cache
def _order() -> NDArray[np.intp]:
    """Return the order of the frequencies in a code, the coarse ones first."""
    down, across = np.divmod(np.arange(_FREQUENCIES**2), _FREQUENCIES)
    fine = (down >= _COARSE) | (across >= _COARSE)
    return np.argsort(fine, kind="stable")


@cache
def _odd_across() -> Codes:
    odd = (_order() % _FREQUENCIES) % 2 == 1
    return np.ascontiguousarray(np.packbits(odd[None], axis=1)).view(np.uint64)


VERSION = 2  # of pictures and codes; fingerprints of other versions are computed again
RATE = 2  # pictures a second
SIDE = 24  # px of width and height
MOST_PICTURES = 2 * 60 * 60 * RATE  # the first two hours
MOST_LOOKS = 128  # distinct pictures of one fingerprint in the index
_NEW_LOOK = 30  # bits by which a picture must differ from the previous look to be another one

_HEADER = struct.Struct(">4sBIII")
_MAGIC = b"RPF1"


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Grey ``pictures`` (n, SIDE, SIDE), one each 1/RATE seconds; a single one of a photo.

    ``size`` is width and height of the original upright frames.
    """

    pictures: GreyPictures
    size: tuple[int, int]
    still: bool

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def duration(self) -> float:
        """Seconds that the pictures represent; 0 for a photo."""
        return 0.0 if self.still else len(self) / RATE

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """Mask (n,) of the pictures that show something, not black or plain ones."""
        return np.asarray(self.pictures.std(axis=(1, 2)) >= LEAST_CONTRAST)

    @cached_property
    def codes(self) -> Codes:
        """The codes (n, 4) of the whole pictures."""
        return compute_codes(self.pictures)

    @cached_property
    def looks(self) -> NDArray[np.intp]:
        """Indices of the pictures that go into the index; each differs from the one before it."""
        usable = np.flatnonzero(self.usable)
        for distance in range(_NEW_LOOK, 101, 10):
            chosen: list[int] = []
            for number in usable.tolist():
                if not chosen or code_distances(self.codes[number], self.codes[chosen[-1]])[0] > distance:
                    chosen.append(number)
            if len(chosen) <= MOST_LOOKS:
                return np.array(chosen, np.intp)
        # Hours of pictures that have nothing in common.
        return usable[np.linspace(0, len(usable) - 1, MOST_LOOKS).astype(np.intp)]

    def to_bytes(self) -> bytes:
        """Serialise: compressed differences from picture to picture."""
        steps = np.diff(self.pictures, axis=0, prepend=np.zeros((1, SIDE, SIDE), np.uint8))
        header = _HEADER.pack(_MAGIC, self.still, *self.size, len(self))
        return header + zlib.compress(steps.tobytes(), 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse what :meth:`to_bytes` wrote; raise :class:`FingerprintError` for anything else."""
        try:
            magic, still, width, height, count = _HEADER.unpack_from(data)
            if magic != _MAGIC or not 0 < count <= MOST_PICTURES:
                raise ValueError
            size = count * SIDE * SIDE
            raw = zlib.decompressobj().decompress(data[_HEADER.size :], size)
            if len(raw) != size:
                raise ValueError
        except (struct.error, zlib.error, ValueError):
            raise FingerprintError("This is no fingerprint of an exhibit. Make it anew.") from None
        steps = np.frombuffer(raw, np.uint8).reshape(count, SIDE, SIDE)
        return cls(np.cumsum(steps, axis=0, dtype=np.uint8), (width, height), bool(still))

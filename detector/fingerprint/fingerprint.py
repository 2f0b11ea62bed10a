"""A fingerprint: small grey pictures of an exhibit, two a second, and its bytes in the database."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.errors import FingerprintError
from detector.fingerprint.codes import LEAST_CONTRAST, Codes, GreyPictures, codes, distances

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
        return codes(self.pictures)

    @cached_property
    def looks(self) -> NDArray[np.intp]:
        """Numbers of the pictures that go into the index: each differs from the one before it."""
        chosen: list[int] = []
        apart = _NEW_LOOK
        while True:
            for number in np.flatnonzero(self.usable).tolist():
                if not chosen or distances(self.codes[number], self.codes[chosen[-1]])[0] > apart:
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

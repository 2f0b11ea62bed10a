"""Patches put aside in a temporary file, so that memory does not grow with how many are kept."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import NamedTuple

import numpy as np

from detector.faces.patch import FacePatch
from detector.schema.analysis import Box


class PatchFile:
    """An unnamed file in the folder for temporary files, which is gone with this object."""

    def __init__(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        weakref.finalize(self, file.close)
        self._to, self._end = file.fileno(), 0
        self._free: list[tuple[int, int]] = []  # where nothing is needed any more, and how many bytes

    def put(self, patch: FacePatch) -> PatchInFile:
        """Write a patch; raises ``OSError`` where there is no room."""
        pixels = patch.image.tobytes()
        at, written = self._room(len(pixels)), 0
        while written < len(pixels):
            written += os.pwrite(self._to, pixels[written:], at + written)
        return PatchInFile(self, at, patch.image.shape, patch.box, patch.scale)

    def _room(self, size: int) -> int:
        for number, (at, free) in enumerate(self._free):
            if free >= size:
                self._free[number] = (at + size, free - size)
                return at
        self._end += size
        return self._end - size

    def give_up(self, at: int, size: int) -> None:
        """What lies there is not needed any more: another patch may take its place."""
        self._free = [hole for hole in self._free if hole[1]] + [(at, size)]

    def pixels(self, at: int, count: int) -> bytes:
        """``count`` bytes from ``at`` on."""
        return os.pread(self._to, count, at)


class PatchInFile(NamedTuple):
    """Where a patch of such a ``shape`` lies in ``file``, and what else is known of it."""

    file: PatchFile
    at: int
    shape: tuple[int, ...]
    box: Box
    scale: float

    @property
    def size(self) -> int:
        """Of the pixels, in bytes."""
        return int(np.prod(self.shape))

    def give_up(self) -> None:
        """Free its place; it cannot be read any more."""
        self.file.give_up(self.at, self.size)

    def read(self) -> FacePatch:
        """The patch as it was."""
        pixels = np.frombuffer(self.file.pixels(self.at, self.size), np.uint8)
        return FacePatch(pixels.reshape(self.shape), self.box, self.scale)

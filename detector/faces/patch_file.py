"""Patches put aside in a temporary file, so that memory does not grow with how many are kept."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import NamedTuple

import numpy as np

from detector.faces.framing import Box
from detector.faces.patch import FacePatch


class PatchFile:
    """An unnamed file in the folder for temporary files, which is gone with this object."""

    def __init__(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        weakref.finalize(self, file.close)
        self._to, self._end = file.fileno(), 0

    def put(self, patch: FacePatch) -> PatchInFile:
        """Write a patch to the end; raises ``OSError`` where there is no room."""
        written, pixels = 0, patch.image.tobytes()
        while written < len(pixels):
            written += os.pwrite(self._to, pixels[written:], self._end + written)
        at, self._end = self._end, self._end + written
        return PatchInFile(self, at, patch.image.shape, patch.box, patch.scale)

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

    def read(self) -> FacePatch:
        """The patch as it was."""
        pixels = np.frombuffer(self.file.pixels(self.at, int(np.prod(self.shape))), np.uint8)
        return FacePatch(pixels.reshape(self.shape), self.box, self.scale)

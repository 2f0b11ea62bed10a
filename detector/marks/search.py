"""Look for hidden marks while an exhibit is read, and declare those that are there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detector.marks.dwt_dct import FRAME_PIXELS, MOST_CHANCE, PHOTO_PIXELS, PixelMark, find_pixel_mark
from detector.marks.lowest_bits import hidden_texts
from detector.media.frame import Frame
from detector.media.reader import MediaReader
from detector.metadata.embedded_text import EmbeddedText
from detector.schema.analysis import MediaKind
from detector.schema.formatting import N_
from detector.schema.metadata import (
    Declaration,
    DeclarationKind,
    HiddenMark,
    HiddenPlace,
    MarkSearch,
    Meaning,
)


class MarkWatch:
    """Searches the frames that it is given, and the transparency of the first one."""

    def __init__(self, reader: MediaReader) -> None:
        self.texts: list[EmbeddedText] = []
        self._reader = reader
        self._frames = 0
        self._marks: dict[str, list[PixelMark]] = {}
        reader.watch_alpha = self._read_alpha

    def _read_alpha(self, alpha: NDArray[np.uint8]) -> None:
        self._reader.watch_alpha = None
        self.texts += hidden_texts(alpha)

    def process_frame(self, frame: Frame) -> None:
        """Search one sampled frame."""
        still = self._reader.kind is MediaKind.IMAGE
        # Marks begin at the corner of the picture as stored.
        image = np.ascontiguousarray(np.rot90(frame.image, self._reader.rotation // 90))
        if not self._frames:
            self.texts += hidden_texts(image)
        self._frames += 1
        if mark := find_pixel_mark(image, PHOTO_PIXELS if still else FRAME_PIXELS):
            self._marks.setdefault(mark.program, []).append(mark)

    @property
    def search(self) -> MarkSearch:
        """What was searched."""
        return MarkSearch(frames=self._frames)

    def declarations(self) -> Iterator[Declaration]:
        """Yield a declaration for each program whose mark the pixels carry."""
        for program, marks in self._marks.items():
            best = min(marks, key=lambda mark: mark.chance)
            chance = min(1.0, best.chance * self._frames)
            if chance > MOST_CHANCE:
                continue
            yield Declaration(
                kind=DeclarationKind.HIDDEN_MARK,
                source=N_("hidden in the pixels"),
                says=N_("%(matched)s of %(bits)s bits") % {"matched": best.matched, "bits": best.length},
                means=N_(
                    "This is the mark that %(program)s hides in its pictures. Anybody can write it; "
                    "compression and resizing remove it."
                )
                % {"program": program},
                program=program,
                meaning=Meaning.GENERATED,
                hidden=HiddenMark(
                    place=HiddenPlace.PIXELS,
                    matched=best.matched,
                    bits=best.length,
                    chance=chance,
                    shifted=best.shifted,
                    frames=None if self._reader.kind is MediaKind.IMAGE else len(marks),
                ),
            )

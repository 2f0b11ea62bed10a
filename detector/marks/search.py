"""Look for hidden marks while an exhibit is read, and declare those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.marks.dwt_dct import FRAME_PIXELS, MOST_CHANCE, PHOTO_PIXELS, PixelMark, find_pixel_mark
from detector.marks.lowest_bits import hidden_texts
from detector.marks.sound import SoundSearch, search_sound
from detector.media.acceptance import InputLimits
from detector.media.frame import Frame
from detector.media.reader import ANIMATIONS, MediaReader
from detector.metadata.embedded_text import EmbeddedText
from detector.metadata.unreadable import MetadataReaders
from detector.schema.analysis import MediaKind
from detector.schema.causes.declarations import DeclarationCode, MeasureCode
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
    """Searches a photograph, each picture of an animation or a frame a second, and the first transparency."""

    def __init__(self, reader: MediaReader) -> None:
        self.texts: list[EmbeddedText] = []
        self.readers = MetadataReaders()
        self._reader = reader
        self._frames = 0
        self._second = -1  # of the last frame that was searched
        self._marks: dict[str, list[PixelMark]] = {}
        self._sound = SoundSearch(0.0, (), None)
        reader.watch_alpha = self._read_alpha

    def _read_alpha(self, alpha: NDArray[np.uint8]) -> None:
        self._reader.watch_alpha = None
        self.texts += self.readers.read("hidden text", lambda: hidden_texts(alpha), [])

    def process_frame(self, frame: Frame) -> None:
        """Search a sampled frame, unless the video's second was searched.

        Compression of videos rarely leaves a mark, and those that it leaves are in most frames.
        """
        still = self._reader.kind is MediaKind.IMAGE
        second = int(frame.time)
        if second == self._second and self._reader.container_format not in ANIMATIONS:
            return
        self._second = second
        # Marks begin at the corner of the picture as stored.
        image = np.ascontiguousarray(np.rot90(frame.image, self._reader.rotation // 90))
        if not self._frames:
            self.texts += self.readers.read("hidden text", lambda: hidden_texts(image), [])
        self._frames += 1
        pixels = PHOTO_PIXELS if still else FRAME_PIXELS
        if mark := self.readers.read("hidden mark", lambda: find_pixel_mark(image, pixels), None):
            self._marks.setdefault(mark.program, []).append(mark)

    def search_sound(self, path: Path, bounds: InputLimits | None) -> None:
        """Search the sound of the exhibit at ``path``, if it has any and the network is installed."""
        if self._reader.has_sound:
            self._sound = search_sound(path, bounds=bounds)

    @property
    def search(self) -> MarkSearch:
        """What was searched."""
        return MarkSearch(frames=self._frames, sound=self._sound.seconds or None, cause=self._sound.note)

    def declarations(self) -> Iterator[Declaration]:
        """Yield a declaration for each program whose mark pixels or sound carry."""
        yield from declare_sound(self._sound)
        for program, marks in self._marks.items():
            best = min(marks, key=lambda mark: mark.chance)
            chance = min(1.0, best.chance * self._frames)
            if chance > MOST_CHANCE:
                continue
            cause = DeclarationCode.PIXEL_MARK.cause(program=program)
            measure = MeasureCode.MATCHED_BITS.cause(matched=best.matched, bits=best.length)
            yield Declaration(
                kind=DeclarationKind.HIDDEN_MARK,
                source=N_("hidden in the pixels"),
                says=measure.text,
                means=cause.text,
                cause=cause,
                measure=measure,
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


def declare_sound(search: SoundSearch) -> Iterator[Declaration]:
    """Yield the declaration of the mark that was heard, if one was."""
    if not search.heard:
        return
    heard = sum(stretch.end - stretch.start for stretch in search.heard)
    channels = sorted({channel for stretch in search.heard for channel in stretch.channels})
    lengths = {"heard": heard, "searched": search.seconds}
    if channels:
        measure = MeasureCode.HEARD_IN_CHANNELS.cause(**lengths, channels=tuple(channels))
    else:
        measure = MeasureCode.HEARD.cause(**lengths)
    cause = DeclarationCode.SOUND_MARK.cause()
    yield Declaration(
        kind=DeclarationKind.HIDDEN_MARK,
        source=N_("hidden in the sound"),
        says=measure.text,
        means=cause.text,
        cause=cause,
        measure=measure,
        program="Chatterbox",
        meaning=Meaning.GENERATED,
        hidden=HiddenMark(
            place=HiddenPlace.SOUND,
            strength=max(stretch.strength for stretch in search.heard),
            stretches=tuple((stretch.start, stretch.end) for stretch in search.heard[:32]),
            channels=tuple(channels),
        ),
    )

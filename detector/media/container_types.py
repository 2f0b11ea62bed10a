"""What an accepted type of file begins with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.media.sound_frames import behind_tags

# Brands of `ftyp` (ISO/IEC 23008-12, AV1 Image File Format): single pictures, and sequences of them.
PICTURE_BRANDS = (b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"miaf")
SEQUENCE_BRANDS = (b"avis", b"hevc", b"hevx", b"hevm", b"hevs", b"msf1")
RAW_BRANDS = (b"crx ",)


@dataclass(frozen=True)
class Container:
    """An accepted type of file: how it begins, and the names of FFmpeg's demuxers for it."""

    name: str
    is_photo: bool
    demuxers: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    """The first bytes."""
    forms: tuple[bytes, ...] = ()
    """In a RIFF file, the form type in bytes 8 to 12."""
    boxes: tuple[bytes, ...] = ()
    """In ISO/IEC 14496-12 and QuickTime files, the types that the first box may have."""
    brands: tuple[bytes, ...] = ()
    """In files that begin with an `ftyp` box, the major brands."""
    test: Callable[[bytes], bool] | None = None
    """A further check of the first bytes; without ``starts`` the only one."""
    endings: tuple[str, ...] = ()
    """File name extensions. They decide nothing where the first bytes are known."""
    is_sound: bool = False
    """Whether it holds sound alone; containers of videos may do so as well."""
    is_rare: bool = False
    """Whether lists for people leave it out."""

    def matches(self, head: bytes) -> bool:
        """Return whether a file that begins with ``head`` is of this type."""
        if self.is_sound:
            head = head[behind_tags(head) :]
        if head[:4] == b"RIFF":
            return head[8:12] in self.forms
        if head[4:8] == b"ftyp" and head[8:12] in (*PICTURE_BRANDS, *SEQUENCE_BRANDS, *RAW_BRANDS):
            return head[8:12] in self.brands
        if self.test is not None:
            return head.startswith(self.starts or b"") and self.test(head)
        return head.startswith(self.starts) or head[4:8] in self.boxes

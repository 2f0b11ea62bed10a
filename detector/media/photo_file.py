"""Photo files as pictures of Pillow, which may open the accepted kinds only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import PIL.Image

from detector.media.signatures import HEAD, PHOTOS, is_boxed_picture


@contextmanager
def open_photo(file: BinaryIO) -> Iterator[PIL.Image.Image]:
    """An open photo file as a picture of Pillow, not decoded yet; of the accepted kinds alone.

    Raises what Pillow raises for any other.
    """
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    formats: tuple[str, ...] = PHOTOS
    if is_boxed_picture(head) and b"avif" not in head[8:64]:
        import pillow_heif  # only where it is needed: it loads a decoder of its own

        pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
        formats = ("HEIF",)
    with warnings.catch_warnings(action="ignore"), PIL.Image.open(file, formats=formats) as picture:
        yield picture

"""JPEG quantisation tables beside libjpeg's, which it computes from a quality of 1 to 100.

They are the Independent JPEG Group's: the tables of ISO/IEC 10918-1, annex K, scaled.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import PIL.Image
from PIL import JpegImagePlugin

from detector.media.exhibit.signatures import PHOTOS
from detector.schema.metadata import Table


def nearest_table(values: tuple[int, ...], colour: bool) -> Table:
    """The libjpeg quality whose table is nearest by mean ratio, and whether it is the very table."""
    given = np.log(np.maximum(np.array(values, np.float64), 1))
    known = standard_tables()[:, int(colour)]
    errors = np.abs(np.log(known) - given).mean(axis=1)
    best = int(errors.argmin())
    return Table(quality=best + 1, exact=bool((known[best] == values).all()))


@lru_cache(maxsize=1)
def standard_tables() -> np.ndarray:
    """libjpeg's tables, (100, 2, 64): quality 1 to 100, luminance and colour, as Pillow orders them."""
    out = np.empty((100, 2, 64))
    tiny = PIL.Image.new("RGB", (8, 8))
    for quality in range(1, 101):
        file = io.BytesIO()
        tiny.save(file, "JPEG", quality=quality)
        with PIL.Image.open(file, formats=PHOTOS) as image:
            assert isinstance(image, JpegImagePlugin.JpegImageFile)
            out[quality - 1] = image.quantization[0], image.quantization[1]
    out.flags.writeable = False
    return out

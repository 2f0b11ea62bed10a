"""Read texts that generators hide in the lowest bits of pixels (``stealth_pnginfo`` and its relatives).

The extension ``sd_webui_stealth_pnginfo`` defined the format, which NovelAI and others took over. Pixels are
read column by column; of the alpha channel one bit each, else three of red, green and blue. A signature of 15
letters comes first, then the number of further bits in 32 bits, then UTF-8, by gzip if the signature says so.
"""

from __future__ import annotations

import json
import zlib

import numpy as np
from numpy.typing import NDArray

from detector.metadata.embedded_text import LONGEST_TEXT, EmbeddedText, embedded_texts
from detector.schema.formatting import N_

# Name of the place for each signature, and whether the text is packed.
_SIGNATURES = {
    b"stealth_pnginfo": (N_("lowest bits of the transparency"), False),
    b"stealth_pngcomp": (N_("lowest bits of the transparency"), True),
    b"stealth_rgbinfo": (N_("lowest bits of the colours"), False),
    b"stealth_rgbcomp": (N_("lowest bits of the colours"), True),
}
PLACES = tuple(dict.fromkeys(place for place, _ in _SIGNATURES.values()))
_SIGNATURE, _LENGTH = 15 * 8, 32  # bits
_MOST_BYTES = 1 << 22  # that are read of a hidden text, before unpacking
_GZIP = 16 + zlib.MAX_WBITS
_LONGEST_JSON = 8 * LONGEST_TEXT  # bytes of a text that is unpacked; a few kilobytes are usual


def hidden_texts(channels: NDArray[np.uint8]) -> list[EmbeddedText]:
    """Return the texts in the lowest bits of alpha (height, width) or of colours (height, width, 3), RGB.

    NovelAI hides the texts of a PNG by name, as JSON; others hide the one that is called ``parameters``.
    Empty without a signature and where the text is damaged.
    """
    head = _bytes(channels, 0, _SIGNATURE + _LENGTH)
    place, is_packed = _SIGNATURES.get(head[: _SIGNATURE // 8], ("", False))
    if not place or (channels.ndim == 2) != (place == PLACES[0]):
        return []
    length = int.from_bytes(head[_SIGNATURE // 8 :], "big")
    data = _bytes(channels, _SIGNATURE + _LENGTH, min(length, 8 * _MOST_BYTES))
    if is_packed:
        try:  # however much the data expands to
            data = zlib.decompressobj(_GZIP).decompress(data, _LONGEST_JSON)
        except zlib.error:
            return []
    text = data[:_LONGEST_JSON].decode("utf-8", "replace")
    try:
        named = json.loads(text)
    except (ValueError, RecursionError):
        named = None
    if not isinstance(named, dict) or not {"Comment", "Software", "Description"} & named.keys():
        named = {"parameters": text}
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in named.items()}
    return embedded_texts(place, values, is_hidden=True)


def _bytes(channels: NDArray[np.uint8], start: int, bits: int) -> bytes:
    """Return whole bytes of lowest bits by columns, from bit ``start`` on; fewer if the picture ends."""
    a_column = channels[:, 0].size
    first, last = start // a_column, -(-(start + bits) // a_column)
    columns = channels[:, first:last].swapaxes(0, 1).reshape(-1)[start - first * a_column :][:bits]
    return np.packbits(columns[: len(columns) // 8 * 8] & 1).tobytes()

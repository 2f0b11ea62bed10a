"""Hide a text in a picture as ``sd_webui_stealth_pnginfo`` and NovelAI do."""

from __future__ import annotations

import gzip

import numpy as np
import PIL.Image


def hide_text(
    picture: PIL.Image.Image,
    text: str | bytes,
    *,
    packed: bool = False,
    signature: bytes | None = None,
    length: int | None = None,
) -> PIL.Image.Image:
    """Return ``picture``, RGB or RGBA, with ``text`` in its lowest bits; bytes are written as they are."""
    pixels = np.array(picture)
    has_alpha = pixels.shape[2] == 4
    signature = signature or b"stealth_" + (b"png" if has_alpha else b"rgb") + (
        b"comp" if packed else b"info"
    )
    data = text if isinstance(text, bytes) else gzip.compress(text.encode()) if packed else text.encode()
    bits = 8 * len(data) if length is None else length
    written = np.unpackbits(np.frombuffer(signature + bits.to_bytes(4, "big") + data, np.uint8))
    by_column = (pixels[:, :, 3:] if has_alpha else pixels).swapaxes(0, 1).copy()
    flat = by_column.reshape(-1)
    flat[: len(written)] = flat[: len(written)] & 0xFE | written
    changed = flat.reshape(by_column.shape).swapaxes(0, 1)
    pixels[:, :, -1:] = changed if has_alpha else changed[:, :, -1:]
    if not has_alpha:
        pixels = np.ascontiguousarray(changed)
    return PIL.Image.fromarray(pixels)

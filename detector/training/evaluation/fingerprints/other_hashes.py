"""Perceptual hashes of kept libraries, to be compared with fingerprints: PDQ and ImageHash's pHash.

They are installed for this measurement alone (`make evaluate-fingerprints`); without them it is left out.
"""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from detector.media.frame import Image

Hashes = dict[str, NDArray[np.uint8]]  # (n, bytes) by name
_LARGEST = 256  # px; both reduce pictures to 64 px themselves, and take long over large ones
_MIRRORED = 5  # of PDQ's eight: left and right exchanged


def available() -> bool:
    """Whether both libraries are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("pdqhash", "imagehash"))


def hashes(pictures: list[Image]) -> Hashes:
    """The hashes of pictures; with ``mirrored`` in its name that of the mirrored ones."""
    import imagehash  # type: ignore[import-not-found,unused-ignore]
    import pdqhash  # type: ignore[import-not-found,unused-ignore]

    out: dict[str, list[NDArray[np.uint8]]] = {}
    for whole in pictures:
        scale = min(1.0, _LARGEST / max(whole.shape[:2]))
        picture = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        eight, _quality = pdqhash.compute_dihedral(np.ascontiguousarray(picture))
        image = Pillow.fromarray(picture)
        turned = Pillow.fromarray(np.ascontiguousarray(picture[:, ::-1]))
        for name, bits in (
            ("PDQ", eight[0]),
            ("PDQ mirrored", eight[_MIRRORED]),
            ("pHash 64", imagehash.phash(image).hash),
            ("pHash 64 mirrored", imagehash.phash(turned).hash),
            ("pHash 256", imagehash.phash(image, hash_size=16).hash),
            ("pHash 256 mirrored", imagehash.phash(turned, hash_size=16).hash),
        ):
            out.setdefault(name, []).append(np.packbits(np.asarray(bits, bool).ravel()))
    return {name: np.stack(rows) for name, rows in out.items()}


def distance(name: str, copy: Hashes, kept: Hashes) -> float:
    """Bits by which a copy differs from what is kept, mirrored or not: of its pictures, the median."""
    found = []
    for of_copy in (name, f"{name} mirrored"):
        bits = np.bitwise_count(copy[of_copy][:, None] ^ kept[name][None]).sum(axis=-1)
        found.append(float(np.median(bits.min(axis=1))))
    return min(found)

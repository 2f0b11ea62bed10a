"""Zips that Python's zipfile refuses otherwise than as damaged."""

from __future__ import annotations

import io
import zipfile

from batch_files import PHOTO


def _of_one(name: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(name, PHOTO)
    return made.getvalue()


def _of_a_later_version() -> bytes:
    data = bytearray(_of_one("real/a.jpg"))
    data[data.index(b"PK\x01\x02") + 6] = 99
    return bytes(data)


ODD_ZIPS = {
    "no zip": b"no zip at all",
    "a version to come": _of_a_later_version(),
    "a name that is not the UTF-8 it is said to be": _of_one("real/\u00e9.jpg").replace(
        "\u00e9".encode(), b"\xe9\xe9"
    ),
}
"""The bytes of each, by what is odd about it."""

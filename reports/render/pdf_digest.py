"""A PDF's digest of itself, so that damage shows in a report that came alone.

The first string of the trailer's ``/ID`` (ISO 32000-1, 14.4) is 64 digits: the SHA-256, in
hexadecimal, of the whole file with these digits replaced by zeros. Like every digest without
a key it shows damage and thoughtless changes, not those of somebody who computes it anew.
"""

from __future__ import annotations

import hashlib
import re

DIGITS = 64
PLACEHOLDER = b"0" * DIGITS
_BEFORE = rb"/ID ?\[\("
_END = b"%%EOF\n"
_FOUND = re.compile(_BEFORE + rb"([0-9a-f]{64})\)")


def with_digest(document: bytes) -> bytes:
    """``document`` with its digest in the place of :data:`PLACEHOLDER`; ValueError where there is none."""
    places = list(re.finditer(_BEFORE + PLACEHOLDER + rb"\)", document))
    if not places:
        raise ValueError("the PDF has no placeholder for its digest")
    start = places[-1].end() - 1 - DIGITS
    digest = hashlib.sha256(document).hexdigest().encode()
    return document[:start] + digest + document[start + DIGITS :]


def covered_length(document: bytes) -> int | None:
    """Where the revision ends that a digest in ``document`` covers; None where none of them fits.

    What follows, if anything, was added later, as a signature is.
    """
    for place in reversed(list(_FOUND.finditer(document))):
        start, end = place.span(1)
        last = document.find(_END, end)
        stop = len(document) if last < 0 else last + len(_END)
        blank = document[:start] + PLACEHOLDER + document[end:stop]
        if hashlib.sha256(blank).hexdigest().encode() == place[1]:
            return stop
    return None


def states_digest(document: bytes) -> bool:
    """Whether ``document`` states a digest of itself, fitting or not."""
    return _FOUND.search(document) is not None

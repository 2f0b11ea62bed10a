"""JSON that would take far more memory once it is read than it takes as text."""

from __future__ import annotations

# Objects and lists; ten thousand annotations have twenty thousand, and names and notes may hold brackets.
_MOST = 100_000


def is_crowded(data: bytes) -> bool:
    """Whether it holds more objects and lists than any file of ours: one takes twenty times its text."""
    return data.count(b"{") + data.count(b"[") > _MOST

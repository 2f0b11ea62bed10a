"""The family of manipulation a generator's name stands for, and the targets of the two outputs.

Outputs: ``altered`` (a face replaced or altered in real footage) and ``synthesised`` (the whole face is
generated). A target of -1 means that the output is not trained on the example.
"""

from __future__ import annotations

UNASKED = -1
REAL = "real"
SWAP = "swap"
REENACTMENT = "reenactment"
LIP_SYNC = "lip-sync"
TALKING_HEAD = "talking head"
PICTURE = "generated picture"
COMPOSITE = "composite"

_BY_NAME = {
    LIP_SYNC: ("wav2lip", "hyperlips"),
    REENACTMENT: ("face2face", "neuraltextures"),
    TALKING_HEAD: ("aniportrait", "biodeep", "edtalk", "float", "fomm", "hunyuan", "sadtalker"),
    PICTURE: ("stylegan", "flux"),
    COMPOSITE: ("photoshop",),
}


def family(generator: str, fake: bool) -> str:
    """The family of ``generator`` that figures are reported by."""
    if not fake:
        return REAL
    name = generator.lower()
    for kind, parts in _BY_NAME.items():
        if any(part in name for part in parts):
            return kind
    return SWAP


def targets(generator: str, fake: bool) -> tuple[int, int]:
    """Targets of the outputs (altered, synthesised)."""
    kind = family(generator, fake)
    if kind == REAL:
        return 0, 0
    if kind == LIP_SYNC and "generated" in generator:
        return 1, 1
    return (UNASKED, 1) if kind in {TALKING_HEAD, PICTURE} else (1, UNASKED)

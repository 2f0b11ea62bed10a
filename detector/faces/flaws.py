"""Why a face is not judged, in words: all there are, for whoever decides it, says it or translates it.

They follow “the face is” or “faces”. :mod:`~detector.faces.quality` finds those of crops, of any file;
:mod:`~detector.faces.photo_range` those of photographs. Results hold them in English.
"""

from __future__ import annotations

from collections.abc import Iterable

from detector.schema.translatable import N_

TOO_SMALL = N_("too small")
TOO_UNSURE = N_("too unsure")
TOO_DARK = N_("too dark or too flat")
TOO_BLURRED = N_("too blurred or too strongly compressed")
TOO_NOISY = N_("too noisy")
OF_ANY_CROP = (TOO_SMALL, TOO_UNSURE, TOO_DARK, TOO_BLURRED, TOO_NOISY)

WITHOUT_COLOUR = N_("without colour (black and white, or toned)")
WITHOUT_DETAIL = N_("without detail (enlarged from a tiny picture, or far out of focus)")
DRAWN = N_("drawn in areas of one colour")
OF_OTHER_PICTURES = (WITHOUT_COLOUR, WITHOUT_DETAIL, DRAWN)
"""Of pictures that the networks were not made for."""


def either(flaws: Iterable[str]) -> str:
    """One flaw, or several with “or” between them."""
    return N_(", or ").join(flaws)

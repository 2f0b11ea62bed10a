"""The flaws for which a face or photo is not judged, in words."""

from __future__ import annotations

from detector.schema.formatting import N_

TOO_SMALL = N_("too small")
TOO_UNSURE = N_("too unsure")
TOO_DARK = N_("too dark or too flat")
TOO_BLURRED = N_("too blurred or too strongly compressed")
TOO_NOISY = N_("too noisy")
CROP_FLAWS = (TOO_SMALL, TOO_UNSURE, TOO_DARK, TOO_BLURRED, TOO_NOISY)

WITHOUT_COLOUR = N_("without colour (black and white, or toned)")
WITHOUT_DETAIL = N_("without detail (enlarged from a tiny picture, or far out of focus)")
DRAWN = N_("drawn in areas of one colour")
PHOTO_FLAWS = (WITHOUT_COLOUR, WITHOUT_DETAIL, DRAWN)  # pictures that the networks were not made for

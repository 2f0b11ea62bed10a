"""Fonts of reports on screen and on paper; ``setup.sh`` installs them."""

from __future__ import annotations

INSTALLED = ("DejaVu Sans", "Liberation", "Droid", "Noto Sans Khmer", "Noto Color Emoji")
"""Families that each installation has."""
TEXT = """\
  /* Scripts of names that the fonts below lack; Debian's fonts-noto-core has them. */
  --scripts: "Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil",
    "Noto Sans Georgian", "Noto Sans Ethiopic", "Noto Sans Khmer";
  --sans: "Liberation Sans", "Helvetica Neue", Arial, "Noto Sans", "Noto Sans CJK SC", "DejaVu Sans", \
var(--scripts), sans-serif;
  --serif: "Liberation Serif", "Times New Roman", "Noto Serif", "Noto Serif CJK SC", "DejaVu Serif", \
var(--scripts), serif;
  --mono: "Liberation Mono", "DejaVu Sans Mono", Consolas, var(--scripts), monospace;
"""
"""Variables of the style sheet."""
MARGINS = '"Liberation Sans", Arial, "DejaVu Sans", sans-serif'
"""Heads and feet of pages and stamps, which cannot use these variables."""
FIGURES = "Liberation Sans, Helvetica, Arial, Noto Sans, DejaVu Sans, sans-serif"
"""Figures, in which WeasyPrint applies no style sheet of the page."""

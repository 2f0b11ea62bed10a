"""What reports say of faces that something covers, by the version that made the analysis."""

from __future__ import annotations

from detector.schema.analysis import Analysis
from reports.text.made_since import made_since
from reports.text.translation.language import gettext

_ASKED = "1.21"
"""Since this schema it is asked whether mouth or eyes are covered."""


def why_open() -> str:
    """Why nothing can be said where mouth or eyes are covered."""
    return gettext(
        "Mouth or eyes seem covered: what was altered beneath cannot be seen, and what covers a face can "
        "raise or lower its score."
    )


def limit(analysis: Analysis) -> str:
    """What a verdict does not say where something covers a face."""
    rest = gettext(
        "Of a face that is partly covered (by a mask, a caption, a sticker, a hand) what is left is "
        "judged: what was altered beneath or beside it can go unnoticed, and a mask can raise scores."
    )
    if made_since(analysis, _ASKED):
        then = gettext("Smaller covers than over mouth or eyes are not told.")
    else:
        then = gettext("The version that made this analysis did not ask whether faces are covered.")
    return f"{rest} {then}"


def procedure(analysis: Analysis) -> str:
    """That it was asked, and what followed, as a sentence that another one follows; empty before."""
    if not made_since(analysis, _ASKED):
        return ""
    if analysis.media.still:
        return gettext(
            "A face of which a small network is sure that mouth or eyes are covered is neither flagged nor "
            "cleared, nor weighed against others. "
        )
    return gettext(
        "A segment most of whose faces are such that a small network is sure that mouth or eyes are covered "
        "is not flagged, and a person is not cleared by such faces. "
    )

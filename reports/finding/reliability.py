"""How often verdicts on faces were wrong on material that nothing had learned from."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Verdict
from detector.schema.model import PAGES_LEFT_OUT
from language.formatting import shown
from language.translation import gettext
from reports.annex import reader_view

_FLAGGED = f"{PAGES_LEFT_OUT}, unmanipulated ones flagged"
_FILMS_FLAGGED = f"{PAGES_LEFT_OUT}, films and stock footage, unmanipulated ones flagged"
_FOUND = f"{PAGES_LEFT_OUT}, manipulated ones flagged"


def face_reliability(analysis: Analysis) -> str:
    """State how often verdicts on faces like this one were wrong; "" beside an inconclusive one.

    For videos by kind of footage, on pages left out; where a card lacks these rates, and for photos, on its
    other measurements.
    """
    reader, figures = reader_view(analysis), analysis.model.figures
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return ""
    if reader.apart:
        return reader.apart
    of_pages = not analysis.media.still and {_FLAGGED, _FILMS_FLAGGED, _FOUND} <= figures.keys()
    if analysis.verdict is Verdict.MANIPULATED:
        if of_pages:
            return gettext(
                "Of 100 unmanipulated clips from sources unknown to the model, %(share)s were flagged; "
                "of films, television and stock footage %(films)s.",
                share=_hundredth(figures[_FLAGGED]),
                films=_hundredth(figures[_FILMS_FLAGGED]),
            )
        error = reader.errors[0]
        sentence = gettext("Of unmanipulated files in tests, the model flagged %(words)s", words=error.words)
    else:
        if of_pages:
            return gettext(
                "Of 100 manipulated clips from sources unknown to the model, %(share)s were not flagged.",
                share=_hundredth(1 - figures[_FOUND]),
            )
        error = reader.errors[1]
        sentence = gettext("Of manipulated files in tests, the model missed %(words)s", words=error.words)
    if not error.measured:
        return error.words
    return " ".join(filter(None, (sentence, reader.one_person)))


def _hundredth(share: float) -> str:
    return shown(100 * share, ".0f")

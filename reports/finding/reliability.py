"""How often verdicts on faces were wrong on material that nothing had learned from."""

from __future__ import annotations

from detector.schema.analysis import Analysis, Verdict
from detector.schema.model import PAGES_LEFT_OUT, PHOTOGRAPHS_LEFT_OUT
from detector.schema.strength import strength_rate
from detector.schema.summary import verdicts_of
from language.formatting import shown
from language.translation import gettext
from reports.annex import reader_view
from reports.wording.verbal_scale import kind_of, rate_sentence

_FLAGGED = f"{PAGES_LEFT_OUT}, unmanipulated ones flagged"
_FILMS_FLAGGED = f"{PAGES_LEFT_OUT}, films and stock footage, unmanipulated ones flagged"
_FOUND = f"{PAGES_LEFT_OUT}, manipulated ones flagged"
_PHOTOGRAPHS_FOUND = f"{PHOTOGRAPHS_LEFT_OUT}, manipulated ones flagged"


def face_reliability(analysis: Analysis) -> str:
    """State how often verdicts on faces like this one were wrong; "" beside an inconclusive one.

    A finding by its strength, on pages left out, or on generators and sources left out of photographs; where
    a card lacks these rates, on its other measurements.
    """
    reader, figures = reader_view(analysis), analysis.model.figures
    if analysis.verdict is Verdict.INCONCLUSIVE:
        return ""
    if reader.apart:
        return reader.apart
    of_pages = not analysis.media.still and {_FLAGGED, _FILMS_FLAGGED, _FOUND} <= figures.keys()
    if analysis.verdict is Verdict.MANIPULATED:
        strength, kind = verdicts_of(analysis).faces_strength, kind_of(analysis)
        if strength is not None and strength_rate(figures, kind, strength) is not None:
            films = ""
            if of_pages:
                films = gettext(
                    "Of 100 unmanipulated clips of films, television and stock footage, %(films)s were "
                    "flagged at any strength.",
                    films=_hundredth(figures[_FILMS_FLAGGED]),
                )
            return " ".join(filter(None, (rate_sentence(figures, kind, strength), films, reader.one_person)))
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
        if analysis.media.still and _PHOTOGRAPHS_FOUND in figures:
            missed = gettext(
                "Of 100 manipulated photographs from sources unknown to the model, %(share)s were not "
                "flagged.",
                share=_hundredth(1 - figures[_PHOTOGRAPHS_FOUND]),
            )
            return " ".join(filter(None, (missed, reader.one_person)))
        error = reader.errors[1]
        sentence = gettext("Of manipulated files in tests, the model missed %(words)s", words=error.words)
    if not error.measured:
        return error.words
    return " ".join(filter(None, (sentence, reader.one_person)))


def _hundredth(share: float) -> str:
    return shown(100 * share, ".0f")

"""The annex for the reader of a report: what its figures are, and how often the model that decided errs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from detector.schema.analysis import Analysis, Model, Rate
from detector.schema.model import LEARNT, PROGRAM
from detector.validation.model_used import not_as_measured
from reports.text.certainty.measured import concerns
from reports.text.certainty.verbal_scale import Basis, basis
from reports.text.model_titles import model_title
from reports.text.numbers import grouped, plural, shown
from reports.text.photographs import rates_of_one_person
from reports.text.translation.language import gettext

_FALSE_ALARMS, _MISSES = "false positive rate", "false negative rate"


@dataclass(frozen=True)
class Hundred:
    """An error rate as a hundred squares, of which ``filled`` are errors; none where it was not measured."""

    title: str
    filled: int
    words: str


@dataclass(frozen=True)
class ReaderView:
    """What the annex shows: what a probability stands for, and the two error rates of whose card.

    ``apart`` says why that card's rates do not hold for this analysis, of which none are shown then;
    ``one_person`` that they are of photographs of one person, where several faces were judged.
    """

    probability: str
    model: str
    errors: tuple[Hundred, ...]
    apart: str = ""
    one_person: str = ""


def reader_view(analysis: Analysis) -> ReaderView:
    """The annex of an analysis."""
    view = reader_view_of_model(analysis.model, analysis.media.still)
    names = not_as_measured(analysis)
    if not names:
        return replace(view, one_person=rates_of_one_person(analysis))
    apart = gettext(
        "How often such a decision is wrong is not known. The error rates on the card of the model that "
        "decided, %(model)s, were measured with the parameters as shipped; this analysis was made with "
        "others (%(names)s).",
        model=model_title(analysis.model.title),
        names=", ".join(names),
    )
    return replace(view, errors=(), apart=apart)


def reader_view_of_model(model: Model, still: bool) -> ReaderView:
    """The annex of a model, measured on photos (``still``) or on videos.

    Rates by verdict count, or else the first measured, but none of what the model learnt from. Where the
    whole program was measured on the same data as its networks' step, the higher of both stands there: the
    step was measured without each clip's own group, the program leaves more verdicts open.
    """
    rates = [rate for rate in model.rates if concerns(model, rate.data, still) and rate.note != LEARNT]
    return ReaderView(
        probability=_probability(model, still),
        model=model_title(model.title),
        errors=tuple(
            _hundred(words, _rate(figure, rates))
            for figure, words in (
                (_FALSE_ALARMS, gettext("False alarms: unmanipulated, and flagged all the same")),
                (_MISSES, gettext("Misses: manipulated, and not flagged")),
            )
        ),
    )


def _probability(model: Model, still: bool) -> str:
    stands = basis(model, still=still)
    match stands:
        case Basis.OFF:
            return gettext(
                "Where a probability is given instead, it was measured for this model to lie far from a "
                "share of manipulated faces: it says how strongly the network answers."
            )
        case Basis.UNKNOWN:
            return gettext(
                "Where a probability is given instead, how it was calibrated is not known for this model: it "
                "says how strongly the network answers, and need not be a share of manipulated faces."
            )
        case Basis.SCALED:
            return gettext(
                "Where a probability of a video is given instead, it is scaled so that few unmanipulated "
                "clips of the validation data reach a finding's threshold; it is not a share of manipulated "
                "ones."
            )
        case Basis.SHARE if model.second_look is None:
            return gettext(
                "Where a calibrated probability is given instead, it holds for material of which half was "
                "manipulated."
            )
        case Basis.SHARE:
            return gettext(
                "Where a calibrated probability of a photograph is given instead, it holds for photographs "
                "of which half were manipulated."
            )
        case _:
            assert_never(stands)


def _rate(figure: str, rates: Sequence[Rate]) -> Rate | None:
    of_figure = [each for each in rates if each.figure == figure]
    first = next(iter(sorted(of_figure, key=lambda each: each.threshold is not None)), None)
    if first is None:
        return None
    same = [each for each in of_figure if each.data.removeprefix(f"{PROGRAM}, ") == first.data]
    return max((first, *same), key=lambda each: each.value)


def _hundred(title: str, rate: Rate | None) -> Hundred:
    if rate is None:
        return Hundred(title, 0, _unmeasured())
    told = gettext(
        "%(share)s of 100, measured: %(events)s of %(counted)s.",
        share=shown(100 * rate.value, ".0f"),
        events=grouped(rate.events if rate.events is not None else round(rate.value * rate.items)),
        counted=plural(rate.items, rate.unit.removesuffix("s"), rate.unit),
    )
    if rate.low is not None and rate.high is not None:
        told += gettext(
            " With so few measured, the true figure may lie anywhere from %(low)s to %(high)s of 100.",
            low=shown(100 * rate.low, ".0f"),
            high=shown(100 * rate.high, ".0f"),
        )
    return Hundred(title, round(100 * rate.value), told)


def _unmeasured() -> str:
    return gettext("This was not measured for this model, so nobody can say how often.")

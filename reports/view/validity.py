"""How often the model errs, and whether this exhibit is of the kind it was measured on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from detector.schema.analysis import Analysis, MediaKind, Rate
from detector.verdict.validated_domain import Criterion, criteria
from reports.text import numbers
from reports.text.numbers import plural
from reports.view.facts import concerns

_PERCENT = frozenset({"false positive rate", "false negative rate"})
MEANINGS = (
    ("False positive rate", "the share of what is not manipulated that was flagged all the same."),
    ("False negative rate", "the share of what is manipulated that was not flagged."),
    (
        "AUC",
        "how often something manipulated scores above something that is not; 0.5 is chance, 1 is perfect.",
    ),
    ("Expected calibration error", "how far probabilities are off, on average."),
)
_DATA = {
    "develop clips": "whole clips of FaceForensics++ (c40), DFDC, VoxCeleb2 and HDTF, by verdict",
    "126 develop clips": "whole clips of FaceForensics++ (c23, c40), DFDC, DeepFaceLive, lip-sync, "
    "talking heads and unmanipulated footage of many kinds, by both networks together",
    "frames of develop clips": "single frames of the same clips",
    "dfdc-test crops": "single faces of the Deepfake Detection Challenge, test part",
    "dfdc-val crops": "single faces of the Deepfake Detection Challenge, validation part",
}


@dataclass(frozen=True)
class RateRow:
    """One measured figure with its interval."""

    figure: str
    value: str
    interval: str
    counted: str
    made: str


@dataclass(frozen=True)
class RateTable:
    """The figures measured on one body of data."""

    data: str
    about: str
    rows: tuple[RateRow, ...]


@dataclass(frozen=True)
class DomainRow:
    """One property of the exhibit beside the range that was validated."""

    name: str
    value: str
    range: str
    state: str
    inside: bool | None
    basis: str


@dataclass(frozen=True)
class ValidationView:
    """Error rates and domain check; empty for a card that states none."""

    rates: tuple[RateTable, ...]
    meanings: tuple[tuple[str, str], ...]
    domain: tuple[DomainRow, ...]
    sentence: str
    outside: tuple[str, ...]


def validation(analysis: Analysis) -> ValidationView:
    """The model's error rates, and this exhibit against the ranges it was validated in."""
    found = criteria(analysis)
    outside = tuple(each.name for each in found if each.inside is False)
    still = analysis.media.kind is MediaKind.IMAGE
    rates = [each for each in analysis.model.rates if concerns(analysis.model, each.data, still)]
    return ValidationView(
        rates=tuple(_table(data, list(of_set)) for data, of_set in groupby(rates, lambda each: each.data)),
        meanings=MEANINGS,
        domain=tuple(_row(each) for each in found),
        sentence=_sentence(found, outside),
        outside=outside,
    )


def _sentence(found: tuple[Criterion, ...], outside: tuple[str, ...]) -> str:
    if not found:
        return (
            "The model's card states no ranges, so it cannot be said whether this exhibit lies within them."
        )
    unknown = [each.name for each in found if each.inside is None]
    rest = f" Not known: {', '.join(unknown)}." if unknown else ""
    if outside:
        return (
            f"This exhibit lies outside what the model was validated on: {', '.join(outside)}. The measured "
            f"error rates do not speak for it.{rest}"
        )
    if len(unknown) == len(found):
        return f"It is not known whether this exhibit lies within what the model was validated on.{rest}"
    return (
        f"In all {plural(len(found) - len(unknown), 'property', 'properties')} that could be compared, this "
        f"exhibit lies within what the model was validated on.{rest} Kinds of manipulation, cameras and "
        "people unlike the measured ones are not covered by this comparison."
    )


def _table(data: str, rates: list[Rate]) -> RateTable:
    first = rates[0]
    told = [_DATA.get(data, "")]
    if first.groups:
        told.append(f"from {plural(first.groups, 'independent source')}")
    threshold = next((rate.threshold for rate in rates if rate.threshold is not None), None)
    if threshold is not None:
        told.append(f"flagged from a probability of {threshold:g}")
    notes = dict.fromkeys(rate.note for rate in rates if rate.note)
    return RateTable(data, "; ".join([*filter(None, told), *notes]), tuple(map(_rate, rates)))


def _rate(rate: Rate) -> RateRow:
    percent = rate.figure in _PERCENT

    def shown(value: float) -> str:
        return f"{value:.1%}".replace("%", " %") if percent else f"{value:.3f}"

    known = rate.low is not None and rate.high is not None
    counted = plural(rate.items, rate.unit.removesuffix("s"))
    return RateRow(
        figure=rate.figure,
        value=shown(rate.value),
        interval=f"{shown(rate.low or 0)} to {shown(rate.high or 0)}" if known else "not known",
        counted=counted if rate.events is None else f"{rate.events:,} of {counted}",
        made=rate.interval,
    )


def _row(each: Criterion) -> DomainRow:
    unit = f" {each.unit}" if each.unit and each.unit != "share" else ""
    ends = [None if end is None else numbers.number(end) for end in (each.least, each.most)]
    if ends == [None, None]:
        wanted = "not measured"
    elif ends[0] == ends[1]:
        wanted = f"{ends[0]}{unit}"
    else:
        wanted = f"{ends[0] or 'any'} to {ends[1] or 'any'}{unit}"
    value = "not known" if each.value is None else f"{numbers.number(round(each.value, 4))}{unit}"
    if each.spread:
        value = (
            f"median {value} ({numbers.number(each.spread.tenth)} to {numbers.number(each.spread.ninetieth)})"
        )
    if each.name == "still images":
        value = "a photograph"
    return DomainRow(
        name=each.name,
        value=value,
        range=wanted,
        state={True: "inside", False: "OUTSIDE", None: "not known"}[each.inside],
        inside=each.inside,
        basis=each.basis,
    )

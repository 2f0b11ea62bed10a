"""Measured error rates of the model, and whether the exhibit is of the kind it was measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from detector.schema.analysis import Analysis, MediaKind, Model, Rate
from detector.schema.laboratory import Level
from detector.validation.validated_model import not_as_measured
from detector.verdict.validated_domain import (
    OF_FACES,
    STILL_AS_VIDEO,
    Criterion,
    criteria,
    outside_by_own_faces,
)
from reports.language import formatting
from reports.language.formatting import from_to, grouped, plural, shown
from reports.language.translation import N_, Quoted, gettext, in_parts, translated
from reports.wording.photographs import rates_of_one_person
from reports.wording.verbal_scale import PHOTOGRAPHS, concerns
from reports.wording.verdict_sentence import person_list

KINDS = {MediaKind.VIDEO: N_("Videos"), MediaKind.IMAGE: N_("Photographs")}


@dataclass(frozen=True)
class RateCell:
    """A rate with its interval and counts."""

    value: str
    interval: str
    counted: str


@dataclass(frozen=True)
class LevelRow:
    """One part of the material."""

    name: str
    manipulated: str
    unmanipulated: str
    false_positive: RateCell | None
    false_negative: RateCell | None
    inconclusive: str
    auc: str


@dataclass(frozen=True)
class RateRow:
    """One measured figure with its interval."""

    figure: str
    value: str
    interval: str
    counted: str
    made: str  # by which method the interval


def rate_row(rate: Rate) -> RateRow:
    """A measured figure in words: a share in percent, any other with three decimals."""
    share = rate.figure.endswith("rate")

    def told(value: float) -> str:
        return percent(value) if share else shown(value, ".3f")

    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(told(rate.low), told(rate.high))
    counted = plural(rate.items, rate.unit.removesuffix("s"), rate.unit)
    if rate.events is not None:
        counted = gettext("%(events)s of %(counted)s", events=grouped(rate.events), counted=counted)
    return RateRow(rate.figure, told(rate.value), interval, counted, rate.interval)


def rate_cell(rate: Rate | None) -> RateCell | None:
    """A share in words; None where there was nothing to count."""
    if rate is None:
        return None
    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(percent(rate.low), percent(rate.high))
    return RateCell(percent(rate.value), interval, counted_of(rate.events or 0, grouped(rate.items)))


def counted_of(count: int, whole: str) -> str:
    """A count and what it is of."""
    return gettext("%(count)s of %(whole)s", count=grouped(count), whole=whole)


def percent(value: float) -> str:
    """A share with one decimal."""
    return f"{shown(100 * value, '.1f')} %"


def level_row(level: Level, name: str = "") -> LevelRow:
    """A row of a table of rates, called ``name`` or as the level is."""
    both = level.manipulated, level.unmanipulated
    silent = sum(each.inconclusive + each.not_judged for each in both)
    auc = level.rate_of("AUC")
    return LevelRow(
        name=name or level_name(level),
        manipulated=grouped(level.manipulated.total),
        unmanipulated=grouped(level.unmanipulated.total),
        false_positive=rate_cell(level.rate_of("false positive rate")),
        false_negative=rate_cell(level.rate_of("false negative rate")),
        inconclusive=grouped(silent),
        auc=shown(auc.value, ".3f") if auc else "–",
    )


def level_name(level: Level) -> str:
    """The name of a part of the material: classes of a measure are ours, all others the laboratory's."""
    measured = (level.least, level.most) != (None, None)
    return translated(level.name) if measured or not level.attribute else Quoted(level.name)


def full_level_name(level: Level) -> str:
    """The same after what it is a part by."""
    if not level.attribute:
        return level_name(level)
    return Quoted(f"{translated(level.attribute)} {level_name(level)}")


MEANINGS = (
    (N_("False positive rate"), N_("the share of what is not manipulated that was flagged all the same.")),
    (N_("False negative rate"), N_("the share of what is manipulated that was not flagged.")),
    (
        "AUC",
        N_(
            "how often something manipulated scores above something that is not; 0.5 is chance, 1 is perfect."
        ),
    ),
    (N_("Expected calibration error"), N_("how far probabilities are off, on average.")),
)
_MOST_NAMED = 4  # persons who lie outside by their own faces
_DATA = {
    "develop clips": N_("whole clips of FaceForensics++ (c40), DFDC, VoxCeleb2 and HDTF, by verdict"),
    "126 develop clips": N_(
        "whole clips of FaceForensics++ (c23, c40), DFDC, DeepFaceLive, lip-sync, "
        "talking heads and unmanipulated footage of many kinds, by both networks "
        "together"
    ),
    "whole program, 126 develop clips": N_(
        "the same clips by the verdicts of the whole program: every view, stability, segments"
    ),
    "frames of develop clips": N_("single frames of the same clips"),
    "dfdc-test crops": N_("single faces of the Deepfake Detection Challenge, test part"),
    "dfdc-val crops": N_("single faces of the Deepfake Detection Challenge, validation part"),
}


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
    basis: str


@dataclass(frozen=True)
class MeasuredErrors:
    """Error rates and domain check; empty for a card that states none.

    ``apart`` says that the rates do not hold for this analysis, or for photographs of one person, if so.
    """

    rates: tuple[RateTable, ...]
    apart: str
    meanings: tuple[tuple[str, str], ...]
    domain: tuple[DomainRow, ...]
    sentence: str


def measured_errors(analysis: Analysis) -> MeasuredErrors:
    """The model's error rates, and this exhibit against the ranges it was validated in."""
    still = analysis.media.still
    of_videos = still and _ranges_are_of_videos(analysis.model)
    found = () if of_videos else criteria(analysis)
    outside = _outside(found)
    rates = [each for each in analysis.model.rates if concerns(analysis.model, each.data, still)]
    if not analysis.coverage.frames_with_usable_face:
        sentence = gettext(
            "No face was judged, so there is nothing to compare with what the model was validated on."
        )
    elif of_videos:
        sentence = _of_photographs(any(each.unit == PHOTOGRAPHS for each in rates))
    else:
        sentence = " ".join(filter(None, (_sentence(found, outside), _others_outside(analysis))))
    return MeasuredErrors(
        rates=tuple(_table(data, list(of_set)) for data, of_set in groupby(rates, lambda each: each.data)),
        apart=(_apart(analysis) or rates_of_one_person(analysis)) if rates else "",
        meanings=MEANINGS,
        domain=tuple(_row(each) for each in found),
        sentence=sentence,
    )


def outside_of(analysis: Analysis) -> tuple[str, ...]:
    """The properties, in words, by which this exhibit lies outside what its model was validated on."""
    if analysis.media.still and _ranges_are_of_videos(analysis.model):
        return ()
    return _outside(criteria(analysis))


def _outside(found: tuple[Criterion, ...]) -> tuple[str, ...]:
    return tuple(property_of(each.name, each.person) for each in found if each.inside is False)


def property_of(name: str, person: str | None) -> str:
    """A property as a sentence lists it: of faces with the ``person`` whose they are, if it is of one."""
    if person and name in OF_FACES:
        return gettext("%(name)s of person %(person)s", name=gettext(name), person=person)
    return translated(name)


def _others_outside(analysis: Analysis) -> str:
    """Which judged persons lie outside whose figure the exhibit's is not; empty where there are none."""
    found = outside_by_own_faces(analysis)
    if not found:
        return ""
    if len(found) > _MOST_NAMED:
        persons = plural(len(found), "person", "persons")
    else:
        persons = ", ".join(
            f"{person_list([who])} ({', '.join(map(gettext, names))})" for who, names in found.items()
        )
    return gettext("Outside by their own faces: %(persons)s.", persons=persons)


def _apart(analysis: Analysis) -> str:
    """Said where the analysis was not made as its model was measured; else empty."""
    names = not_as_measured(analysis)
    if not names:
        return ""
    return gettext(
        "They were measured with the parameters as shipped. This analysis used others (%(names)s), so they "
        "do not say how often its decision is wrong.",
        names=", ".join(names),
    )


def _ranges_are_of_videos(model: Model) -> bool:
    """Whether the card says that it measured no ranges on photographs."""
    return any(
        each.name == "still images" and each.least is None and each.most is None for each in model.validated
    )


def _of_photographs(measured: bool) -> str:
    """Instead of a comparison with ranges; ``measured``: error rates of photographs are known."""
    ranges = gettext(
        "This cannot be said of a photograph: the ranges of properties that the model's card states were "
        "measured on clips and crops of their frames, not on photographs."
    )
    if not measured:
        return ranges
    rates = gettext(
        "What was measured on photographs are the error rates stated for them. Photographs unlike the "
        "measured ones, of other generators, cameras, people or compression, are not covered by them."
    )
    return f"{ranges} {rates}"


def _sentence(found: tuple[Criterion, ...], outside: tuple[str, ...]) -> str:
    if not found:
        return gettext(
            "The model's card states no ranges, so it cannot be said whether this exhibit lies within them."
        )
    unknown = [each.name for each in found if each.inside is None]
    rest = gettext(" Not known: %(unknown)s.", unknown=", ".join(map(gettext, unknown))) if unknown else ""
    if outside:
        return gettext(
            "This exhibit lies outside what the model was validated on: %(outside)s. The "
            "measured error rates do not speak for it.%(rest)s",
            outside=", ".join(outside),
            rest=rest,
        )
    if len(unknown) == len(found):
        return gettext(
            "It is not known whether this exhibit lies within what the model was validated on.%(rest)s",
            rest=rest,
        )
    return gettext(
        "In all %(properties)s that could be compared, this exhibit lies within what "
        "the model was validated on.%(rest)s Kinds of manipulation, cameras and people "
        "unlike the measured ones are not covered by this comparison.",
        properties=plural(len(found) - len(unknown), "property", "properties"),
        rest=rest,
    )


def _table(data: str, rates: list[Rate]) -> RateTable:
    first = rates[0]
    told = [gettext(_DATA[data]) if data in _DATA else ""]
    rows = tuple(map(rate_row, rates))
    if len({rate.groups for rate in rates}) > 1:
        rows = tuple(
            replace(row, counted=f"{row.counted}, {_from_sources(rate.groups)}") if rate.groups else row
            for row, rate in zip(rows, rates, strict=True)
        )
    elif first.groups:
        told.append(_from_sources(first.groups))
    threshold = next((rate.threshold for rate in rates if rate.threshold is not None), None)
    if threshold is not None:
        told.append(gettext("flagged from a probability of %(threshold)s", threshold=shown(threshold, "g")))
    notes = dict.fromkeys(rate.note for rate in rates if rate.note)
    return RateTable(in_parts(data), "; ".join([*filter(None, told), *map(translated, notes)]), rows)


def _from_sources(groups: int) -> str:
    return gettext("from %(sources)s", sources=plural(groups, "independent source", "independent sources"))


def _row(each: Criterion) -> DomainRow:
    unit = f" {translated(each.unit)}" if each.unit and each.unit != "share" else ""
    ends = [None if end is None else formatting.number(end) for end in (each.least, each.most)]
    if ends == [None, None]:
        wanted = gettext("not measured")
    elif ends[0] == ends[1]:
        wanted = f"{ends[0]}{unit}"
    else:
        wanted = gettext(
            "%(least)s to %(most)s%(unit)s",
            least=ends[0] or gettext("any"),
            most=ends[1] or gettext("any"),
            unit=unit,
        )
    value = gettext("not known") if each.value is None else f"{formatting.number(round(each.value, 4))}{unit}"
    if each.spread:
        value = gettext(
            "median %(median)s (%(tenth)s to %(ninetieth)s)",
            median=value,
            tenth=formatting.number(each.spread.tenth),
            ninetieth=formatting.number(each.spread.ninetieth),
        )
    if each.name == "still images":
        value = gettext("a photograph")
    if each.name == STILL_AS_VIDEO:
        value = gettext("yes")
    name = each.name
    if each.person:
        name = gettext("%(name)s, person %(person)s", name=gettext(name), person=each.person)
    return DomainRow(
        name=name,
        value=value,
        range=wanted,
        state={True: gettext("inside"), False: gettext("outside"), None: gettext("not known")}[each.inside],
        basis=each.basis,
    )

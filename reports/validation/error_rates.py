"""Measured error rates of the model, and whether the exhibit is of the kind it was measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby

from detector.schema.analysis import Analysis, Model, Rate
from detector.schema.laboratory import Laboratory, Level, Subject, Validation
from detector.validation.rates import part_of
from detector.validation.validated_model import unmeasured_parameters
from detector.verdict.finding import finding_of
from detector.verdict.validated_domain import (
    FACE_PROPERTIES,
    STILL_AS_VIDEO,
    Criterion,
)
from language import formatting
from language.formatting import from_to, grouped, plural, shown
from language.translation import (
    N_,
    Quoted,
    cause_text,
    english_note,
    gettext,
    in_parts,
    text_of,
    texts_of,
    translated,
)
from reports.wording.photographs import rates_of_one_person
from reports.wording.verbal_scale import PHOTOGRAPHS, concerns
from reports.wording.verdict_sentence import person_list

KINDS = {
    Subject.VIDEO: N_("Videos"),
    Subject.IMAGE: N_("Photographs"),
    Subject.VOICE: N_("Voices"),
}


@dataclass(frozen=True)
class ClassNames:
    """The words for both classes of a kind, and for their verdicts."""

    manipulated: str
    unmanipulated: str
    manipulated_short: str  # for the heads of columns
    unmanipulated_short: str
    found: str  # verdict
    not_found: str


_OF_FACES = ClassNames(
    N_("manipulated"),
    N_("unmanipulated"),
    N_("Manip."),
    N_("Unman."),
    N_("manipulated"),
    N_("no manipulation found"),
)
_OF_VOICES = ClassNames(
    N_("synthetic"),
    N_("human"),
    N_("Synth."),
    N_("Human"),
    N_("synthetic speech found"),
    N_("no synthetic speech found"),
)


def class_names(kind: Subject) -> ClassNames:
    """Return the words for both classes of a kind."""
    return _OF_VOICES if kind is Subject.VOICE else _OF_FACES


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
    """Format a measured figure: a share in percent, any other with three decimals."""
    share = rate.figure.endswith("rate")

    def text(value: float) -> str:
        return percent(value) if share else shown(value, ".3f")

    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(text(rate.low), text(rate.high))
    counted = plural(rate.items, rate.unit.removesuffix("s"), rate.unit)
    if rate.events is not None:
        counted = gettext("%(events)s of %(counted)s", events=grouped(rate.events), counted=counted)
    return RateRow(rate.figure, text(rate.value), interval, counted, rate.interval)


def rate_cell(rate: Rate | None) -> RateCell | None:
    """Format a share; return None if nothing was counted."""
    if rate is None:
        return None
    interval = gettext("not known")
    if rate.low is not None and rate.high is not None:
        interval = from_to(percent(rate.low), percent(rate.high))
    return RateCell(percent(rate.value), interval, counted_of(rate.events or 0, grouped(rate.items)))


def counted_of(count: int, whole: str) -> str:
    """Format a count and its total."""
    return gettext("%(count)s of %(whole)s", count=grouped(count), whole=whole)


def percent(value: float) -> str:
    """Format a share with one decimal."""
    return f"{shown(100 * value, '.1f')} %"


def level_row(level: Level, name: str = "") -> LevelRow:
    """Return a row of a table of rates, named ``name`` or after the part."""
    classes = level.manipulated, level.unmanipulated
    auc = level.rate_of("AUC")
    return LevelRow(
        name=name or level_name(level),
        manipulated=grouped(level.manipulated.total),
        unmanipulated=grouped(level.unmanipulated.total),
        false_positive=rate_cell(level.rate_of("false positive rate")),
        false_negative=rate_cell(level.rate_of("false negative rate")),
        inconclusive=grouped(sum(outcome.inconclusive + outcome.not_judged for outcome in classes)),
        auc=shown(auc.value, ".3f") if auc else "–",
    )


def level_name(level: Level) -> str:
    """Name a part of the material; ranges of measurements are translated, the laboratory's names are not."""
    return cause_text(part_of(level)) if level.attribute else translated(level.name)


def full_level_name(level: Level) -> str:
    """Name a part of the material after its property."""
    if not level.attribute:
        return level_name(level)
    return Quoted(f"{translated(level.attribute)} {level_name(level)}")


def limit_texts(of: Validation | Laboratory, *, voices: bool) -> tuple[str, ...]:
    """Return the limits of a validation of faces, or of voices."""
    if voices:
        return texts_of(of.voice_limit_causes, of.voice_limits)
    return texts_of(of.limit_causes, of.limits)


def all_limit_texts(of: Validation | Laboratory) -> tuple[str, ...]:
    """Return the limits of a validation of faces and of voices, each once."""
    texts = (*limit_texts(of, voices=False), *limit_texts(of, voices=True))
    if texts and not (of.limit_causes or of.voice_limit_causes):
        texts += tuple(filter(None, [english_note()]))
    return tuple(dict.fromkeys(texts))


MEANINGS = (
    (N_("False positive rate"), N_("the share of unmanipulated items that were flagged.")),
    (N_("False negative rate"), N_("the share of manipulated items that were not flagged.")),
    (
        "AUC",
        N_(
            "how often a manipulated item scores higher than an unmanipulated one; 0.5 is chance, 1 is "
            "perfect."
        ),
    ),
    (
        N_("Expected calibration error"),
        N_("how far scores differ from the measured shares, on average."),
    ),
)
_MOST_NAMED = 4  # persons who lie outside by their own faces
_CLIPS = N_(
    "whole clips of FaceForensics++ (c23, c40), DFDC, DeepFaceLive, lip-sync, "
    "talking heads and unmanipulated footage of many kinds, by both networks "
    "together"
)
_CLIPS_BY_VERDICT = N_("the same clips by the verdicts of the whole program: every view, stability, segments")
# The second look of earlier versions was measured on the first 126 clips.
_DATA = {
    "develop clips": N_("whole clips of FaceForensics++ (c40), DFDC, VoxCeleb2 and HDTF, by verdict"),
    **dict.fromkeys(("126 develop clips", "211 develop clips", "241 develop clips"), _CLIPS),
    **dict.fromkeys(
        tuple(f"whole program, {count} develop clips" for count in (126, 211, 241)), _CLIPS_BY_VERDICT
    ),
    "frames of develop clips": N_("single frames of the same clips"),
    "dfdc-test crops": N_("single faces of the Deepfake Detection Challenge, test part"),
    "dfdc-val crops": N_("single faces of the Deepfake Detection Challenge, validation part"),
}


@dataclass(frozen=True)
class RateTable:
    """The figures measured on one data set."""

    data: str
    about: str
    rows: tuple[RateRow, ...]


@dataclass(frozen=True)
class DomainRow:
    """One property of the exhibit and its validated range."""

    name: str
    value: str
    range: str
    state: str
    basis: str


@dataclass(frozen=True)
class MeasuredErrors:
    """Error rates and comparison with the validated ranges; empty for a card without them.

    ``apart`` tells if the rates do not apply to this analysis, or only to photographs of one person.
    """

    rates: tuple[RateTable, ...]
    apart: str
    meanings: tuple[tuple[str, str], ...]
    domain: tuple[DomainRow, ...]
    sentence: str


def measured_errors(analysis: Analysis) -> MeasuredErrors:
    """Return the model's error rates, and compare this exhibit with the validated ranges."""
    still = analysis.media.still
    of_videos = still and _ranges_are_of_videos(analysis.model)
    domain = () if of_videos else finding_of(analysis).domain
    rates = [rate for rate in analysis.model.rates if concerns(analysis.model, rate.data, still)]
    apart = ""
    if rates and (names := unmeasured_parameters(analysis)):
        apart = gettext(
            "These rates were measured with the default parameters. This analysis used others (%(names)s), "
            "so the rates do not show how often its decision is wrong.",
            names=", ".join(names),
        )
    elif rates:
        apart = rates_of_one_person(analysis)
    if not analysis.coverage.frames_with_usable_face:
        sentence = gettext(
            "No face was judged, so there is nothing to compare with the material on which the model was "
            "validated."
        )
    elif of_videos:
        sentence = _of_photographs(any(rate.unit == PHOTOGRAPHS for rate in rates))
    else:
        sentence = " ".join(filter(None, (_domain_sentence(domain), _others_outside(analysis))))
    return MeasuredErrors(
        rates=tuple(_rate_table(data, list(rows)) for data, rows in groupby(rates, lambda rate: rate.data)),
        apart=apart,
        meanings=MEANINGS,
        domain=tuple(map(_domain_row, domain)),
        sentence=sentence,
    )


def outside_of(analysis: Analysis) -> tuple[str, ...]:
    """Name the properties by which this exhibit lies outside the validated ranges."""
    if analysis.media.still and _ranges_are_of_videos(analysis.model):
        return ()
    return _outside(finding_of(analysis).domain)


def _outside(domain: tuple[Criterion, ...]) -> tuple[str, ...]:
    return tuple(
        property_of(criterion.name, criterion.person) for criterion in domain if criterion.inside is False
    )


def property_of(name: str, person: str | None) -> str:
    """Name a property in a list, with its ``person`` for a property of faces."""
    if person and name in FACE_PROPERTIES:
        return gettext("%(name)s of person %(person)s", name=gettext(name), person=person)
    return translated(name)


def _others_outside(analysis: Analysis) -> str:
    """Name other judged persons whose faces lie outside the ranges."""
    outside = finding_of(analysis).persons_outside
    if not outside:
        return ""
    if len(outside) > _MOST_NAMED:
        persons = plural(len(outside), "person", "persons")
    else:
        persons = ", ".join(
            f"{person_list([person])} ({', '.join(map(gettext, names))})" for person, names in outside.items()
        )
    return gettext("Persons whose faces lie outside the ranges: %(persons)s.", persons=persons)


def _ranges_are_of_videos(model: Model) -> bool:
    """Return whether the card states that no ranges were measured on photographs."""
    ranges = [entry for entry in model.validated if entry.name == "still images"]
    return any(entry.least is None and entry.most is None for entry in ranges)


def _of_photographs(measured: bool) -> str:
    """Replace the comparison with ranges; ``measured``: error rates of photographs are known."""
    ranges = gettext(
        "This cannot be determined for a photograph, because the ranges of properties on the model's card "
        "were measured on video clips and crops of their frames, not on photographs."
    )
    if not measured:
        return ranges
    rates = gettext(
        "Only the error rates stated for photographs were measured on photographs. They do not cover "
        "photographs unlike the measured ones, such as those from other generators or cameras, of other "
        "people, or with other compression."
    )
    return f"{ranges} {rates}"


def _domain_sentence(domain: tuple[Criterion, ...]) -> str:
    if not domain:
        return gettext("The model's card states no ranges, so this exhibit cannot be compared with them.")
    unknown = [criterion.name for criterion in domain if criterion.inside is None]
    rest = gettext(" Not known: %(unknown)s.", unknown=", ".join(map(gettext, unknown))) if unknown else ""
    if outside := _outside(domain):
        return gettext(
            "This exhibit is unlike the material on which the model was validated: %(outside)s. Errors "
            "may be more frequent than measured.%(rest)s",
            outside=", ".join(outside),
            rest=rest,
        )
    if len(unknown) == len(domain):
        return gettext(
            "It is not known whether this exhibit resembles the material on which the model was "
            "validated.%(rest)s",
            rest=rest,
        )
    return gettext(
        "In all %(properties)s that could be compared, this exhibit lies within the range of the "
        "validation material.%(rest)s The comparison does not cover kinds of manipulation, cameras or "
        "people unlike the measured ones.",
        properties=plural(len(domain) - len(unknown), "property", "properties"),
        rest=rest,
    )


def _rate_table(data: str, rates: list[Rate]) -> RateTable:
    first = rates[0]
    about = [gettext(_DATA[data]) if data in _DATA else ""]
    rows = tuple(map(rate_row, rates))
    if len({rate.groups for rate in rates}) > 1:
        rows = tuple(
            replace(row, counted=f"{row.counted}, {_from_sources(rate.groups)}") if rate.groups else row
            for row, rate in zip(rows, rates, strict=True)
        )
    elif first.groups:
        about.append(_from_sources(first.groups))
    threshold = next((rate.threshold for rate in rates if rate.threshold is not None), None)
    if threshold is not None:
        about.append(gettext("flagged from a score of %(threshold)s", threshold=shown(threshold, "g")))
    notes = dict.fromkeys(rate.note for rate in rates if rate.note)
    return RateTable(in_parts(data), "; ".join([*filter(None, about), *map(translated, notes)]), rows)


def _from_sources(groups: int) -> str:
    return gettext("from %(sources)s", sources=plural(groups, "independent source", "independent sources"))


def _domain_row(criterion: Criterion) -> DomainRow:
    name = criterion.name
    unit = f" {translated(criterion.unit)}" if criterion.unit and criterion.unit != "share" else ""
    least, most = (
        None if end is None else formatting.number(end) for end in (criterion.least, criterion.most)
    )
    if (least, most) == (None, None):
        validated = gettext("not measured")
    elif least == most:
        validated = f"{least}{unit}"
    else:
        validated = gettext(
            "%(least)s to %(most)s%(unit)s",
            least=least or gettext("any"),
            most=most or gettext("any"),
            unit=unit,
        )
    value = gettext("not known")
    if criterion.value is not None:
        value = f"{formatting.number(round(criterion.value, 4))}{unit}"
    if criterion.spread:
        value = gettext(
            "median %(median)s (%(tenth)s to %(ninetieth)s)",
            median=value,
            tenth=formatting.number(criterion.spread.tenth),
            ninetieth=formatting.number(criterion.spread.ninetieth),
        )
    if name == "still images":
        value = gettext("a photograph")
    if name == STILL_AS_VIDEO:
        value = gettext("yes")
    if criterion.person:
        name = gettext("%(name)s, person %(person)s", name=gettext(name), person=criterion.person)
    states = {True: gettext("inside"), False: gettext("outside"), None: gettext("not known")}
    return DomainRow(
        name=name,
        value=value,
        range=validated,
        state=states[criterion.inside],
        basis=text_of(criterion.cause, criterion.basis),
    )

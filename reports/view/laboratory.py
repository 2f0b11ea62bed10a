"""The laboratory's own validation as a report quotes it: rates that fit the exhibit, and its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, MediaKind
from detector.schema.laboratory import Laboratory, OwnThreshold
from detector.schema.likelihood import stated_log10
from detector.schema.validation import Level
from detector.validation.model_used import why_not_of_analysis
from detector.verdict.validated_domain import measured
from reports.text import dates, numbers
from reports.view.validation_report import LevelRow, level_row, percent, ratio_words

_KINDS = {MediaKind.VIDEO: "videos", MediaKind.IMAGE: "photographs"}
THRESHOLD = "The laboratory's threshold"


@dataclass(frozen=True)
class LaboratoryView:
    """What is quoted; ``refused`` says why the validation does not speak for this analysis, if so."""

    heading: str
    about: str
    sha256: str
    refused: str
    remark: str
    rows: tuple[LevelRow, ...]
    ratio: str
    thresholds: tuple[tuple[str, ...], ...]
    decision: str
    outside: str
    limits: tuple[str, ...]


def laboratory_view(laboratory: Laboratory, analysis: Analysis) -> LaboratoryView:
    """Put into words what ``laboratory`` says of exhibits like that of ``analysis``."""
    date = dates.in_utc(laboratory.created)[0][:10]
    whose = f" ({laboratory.laboratory})" if laboratory.laboratory else ""
    refused = why_not_of_analysis(laboratory, analysis)
    speaks = not refused
    return LaboratoryView(
        heading=f"This laboratory's validation of {date}",
        about=f"“{laboratory.title}”{whose}, {laboratory.files:,} labelled files, {laboratory.model.title}.",
        sha256=laboratory.validation_sha256,
        refused=refused,
        remark=_remark(laboratory, analysis) if speaks else "",
        rows=tuple(level_row(each, _named(each)) for each in fitting(laboratory, analysis)) if speaks else (),
        ratio=_ratio(laboratory, analysis) if speaks else "",
        thresholds=tuple(map(_threshold, _own(laboratory, analysis))) if speaks else (),
        decision=own_decision(laboratory, analysis) if speaks else "",
        outside=_outside(laboratory, analysis) if speaks else "",
        limits=laboratory.limits if speaks else (),
    )


def fitting(laboratory: Laboratory, analysis: Analysis) -> list[Level]:
    """The figures over all of the exhibit's kind, and over the parts whose class it falls into."""
    values, _ = measured(analysis)
    found = []
    for level in laboratory.levels:
        if level.kind is not analysis.media.kind:
            continue
        if not level.attribute:
            found.append(level)
        elif (value := values.get(level.attribute)) is not None:
            above = level.least is None or value >= level.least
            below = level.most is None or value < level.most
            if above and below and (level.least, level.most) != (None, None):
                found.append(level)
    return found


def own_decision(laboratory: Laboratory, analysis: Analysis) -> str:
    """What follows from the laboratory's own threshold, beside the verdict; empty where there is none."""
    if why_not_of_analysis(laboratory, analysis):
        return ""
    for own in _own(laboratory, analysis):
        if analysis.probability is None:
            return f"{own.threshold:g}: nothing was judged, so nothing follows from it."
        flagged = analysis.probability >= own.threshold
        said = "is flagged" if flagged else "is not flagged"
        return (
            f"From {own.threshold:g}, chosen by {own.by}: with a probability of "
            f"{numbers.probability(analysis.probability)} this exhibit {said}. The verdict is that of the "
            f"shipped threshold, {analysis.parameters.enter_threshold:g}."
        )
    return ""


def _own(laboratory: Laboratory, analysis: Analysis) -> list[OwnThreshold]:
    return [each for each in laboratory.thresholds if each.kind is analysis.media.kind]


def _named(level: Level) -> str:
    return f"{level.attribute} {level.name}" if level.attribute else level.name


def _threshold(own: OwnThreshold) -> tuple[str, ...]:
    cells = []
    for rate in (own.false_positive, own.false_negative):
        ends = f"({percent(rate.low or 0)} to {percent(rate.high or 0)})"
        cells.append(f"{percent(rate.value)} {ends}, {rate.events or 0:,} of {rate.items:,}")
    return f"{own.threshold:g}", f"{own.shipped:g}", own.by, *cells


def _remark(laboratory: Laboratory, analysis: Analysis) -> str:
    then, now = laboratory.source_sha256, analysis.software.source_sha256
    if then and now and then != now:
        return "It was made with another version of the program, with the same model and parameters."
    return ""


def _ratio(laboratory: Laboratory, analysis: Analysis) -> str:
    ratios = next((e for e in laboratory.likelihood_ratios if e.kind is analysis.media.kind), None)
    if ratios is None or analysis.probability is None:
        return ""
    stated = stated_log10(ratios, analysis.probability)
    value, cost = ratio_words(stated), ratios.systems[1].cllr
    first, second = "manipulated", "not manipulated"
    if stated < 0:
        first, second = second, first
    ends = f"{ratio_words(ratios.least)} to {ratio_words(ratios.most)}"
    return (
        f"Likelihood ratio: {value}. On this material a probability of "
        f"{numbers.probability(analysis.probability)} is {ratio_words(abs(stated))} times as likely of what "
        f"is {first} as of what is {second} (Platt, Cllr {cost:.2f}; ratios are stated from {ends} only). It "
        "is not a probability of manipulation."
    )


def _outside(laboratory: Laboratory, analysis: Analysis) -> str:
    """Properties of the exhibit beyond all that the laboratory measured."""
    values, _ = measured(analysis)
    beyond = [
        each.name
        for each in laboratory.covered
        if each.kind is analysis.media.kind
        and (value := values.get(each.name)) is not None
        and not each.least <= round(value, 4) <= each.most  # as they are kept
    ]
    if not [each for each in laboratory.covered if each.kind is analysis.media.kind]:
        return f"No {_KINDS[analysis.media.kind]} were measured: the validation says nothing of this exhibit."
    if beyond:
        return f"This exhibit lies outside all that was measured there: {', '.join(beyond)}."
    return "In every property that was measured, this exhibit lies within what that material covers."

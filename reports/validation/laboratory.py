"""A laboratory's own validation, as the report of an exhibit quotes it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, MediaKind, Verdict
from detector.schema.codec_names import codec_name
from detector.schema.laboratory import Laboratory, Level, OwnThreshold, stated_log10
from detector.schema.method import is_shipped_threshold
from detector.validation.validated_model import difference_to_analysis
from detector.verdict import left_open
from detector.verdict.validated_domain import (
    BINARY_PROPERTIES,
    FACE_PROPERTIES,
    MEASURED_CODECS,
    OTHER_CODECS,
    compared_person,
    measured_values,
)
from reports.language import formatting
from reports.language.formatting import plural, shown
from reports.language.names import model_title
from reports.language.translation import N_, Quoted, gettext, ngettext, translated
from reports.validation.error_rates import (
    LevelRow,
    RateCell,
    full_level_name,
    level_row,
    property_of,
    rate_cell,
)
from reports.validation.performance import ratio_words

_KINDS = {MediaKind.VIDEO: N_("videos"), MediaKind.IMAGE: N_("photographs")}
THRESHOLD = N_("The laboratory's threshold")


@dataclass(frozen=True)
class OwnThresholdRow:
    """A threshold of the laboratory, the threshold of the verdict, and error rates."""

    own: str
    used: str
    chosen_by: str
    false_positive: RateCell | None
    false_negative: RateCell | None


@dataclass(frozen=True)
class LaboratoryView:
    """The quoted validation; ``refused`` tells why it does not apply to this analysis."""

    heading: str
    about: str
    sha256: str
    refused: str
    remark: str
    rows: tuple[LevelRow, ...]
    ratio: str
    thresholds: tuple[OwnThresholdRow, ...]
    decision: str
    outside: str
    limits: tuple[str, ...]


def laboratory_view(laboratory: Laboratory, analysis: Analysis) -> LaboratoryView:
    """Describe what ``laboratory`` states about exhibits like that of ``analysis``."""
    refused = difference_to_analysis(laboratory, analysis)
    applies = not refused
    sources = {laboratory.source_sha256, analysis.software.source_sha256}
    is_other_version = all(sources) and len(sources) == 2
    return LaboratoryView(
        heading=gettext("This laboratory's validation of %(date)s", date=formatting.day(laboratory.created)),
        about=ngettext(
            "“%(material)s”%(laboratory)s, %(files)s labelled file, %(model)s.",
            "“%(material)s”%(laboratory)s, %(files)s labelled files, %(model)s.",
            laboratory.files,
            material=laboratory.title,
            laboratory=f" ({laboratory.laboratory})" if laboratory.laboratory else "",
            files=shown(laboratory.files, ","),
            model=model_title(laboratory.model.title),
        ),
        sha256=laboratory.validation_sha256,
        refused=refused,
        remark=gettext("It was made with another version of the program, with the same model and parameters.")
        if applies and is_other_version
        else "",
        rows=_rows(laboratory, analysis) if applies else (),
        ratio=_ratio(laboratory, analysis) if applies else "",
        thresholds=_thresholds(laboratory, analysis) if applies else (),
        decision=own_decision(laboratory, analysis) if applies else "",
        outside=_outside(laboratory, analysis) if applies else "",
        limits=laboratory.limits if applies else (),
    )


def fitting(laboratory: Laboratory, analysis: Analysis) -> list[Level]:
    """Return the rates of the exhibit's kind, and of the parts of the material it belongs to."""
    values, _ = measured_values(analysis)
    levels = []
    for level in laboratory.levels:
        if level.kind is not analysis.media.kind:
            continue
        if not level.attribute:
            levels.append(level)
        elif (value := values.get(level.attribute)) is not None:
            above = level.least is None or value >= level.least
            below = level.most is None or value < level.most
            if above and below and (level.least, level.most) != (None, None):
                levels.append(level)
    return levels


def _rows(laboratory: Laboratory, analysis: Analysis) -> tuple[LevelRow, ...]:
    """Return the rates that apply, with the person for parts by a property of faces."""
    person = compared_person(analysis)

    def name(level: Level) -> str:
        text = full_level_name(level)
        if person is None or level.attribute not in FACE_PROPERTIES:
            return text
        return Quoted(gettext("%(name)s, person %(person)s", name=text, person=person))

    return tuple(level_row(level, name(level)) for level in fitting(laboratory, analysis))


def own_decision(laboratory: Laboratory, analysis: Analysis) -> str:
    """State the result by the laboratory's own threshold; "" without one."""
    own = next(iter(_own(laboratory, analysis)), None)
    if own is None or difference_to_analysis(laboratory, analysis):
        return ""
    if analysis.probability is None:
        return gettext(
            "%(threshold)s: not applicable, because nothing was judged.",
            threshold=shown(own.threshold, "g"),
        )
    used, probability = analysis.parameters.enter_threshold, analysis.probability
    words = N_(
        "Flagged from %(threshold)s, chosen by %(by)s: with a probability of %(probability)s, this "
        "exhibit %(said)s. The verdict is based on the default threshold, %(enter_threshold)s."
    )
    if not is_shipped_threshold(used):
        words = N_(
            "Flagged from %(threshold)s, chosen by %(by)s: with a probability of %(probability)s, this "
            "exhibit %(said)s. The verdict is based on the threshold used, %(enter_threshold)s."
        )
    cause = left_open.cause_of(analysis) if analysis.verdict is Verdict.INCONCLUSIVE else None
    if cause is not None and left_open.is_independent_of_scores(cause):
        words = N_(
            "Flagged from %(threshold)s, chosen by %(by)s: with a probability of %(probability)s, this "
            "exhibit %(said)s. The verdict is inconclusive for the stated reason, whatever the threshold."
        )
    return gettext(
        words,
        threshold=shown(own.threshold, "g"),
        by=translated(own.by),
        probability=formatting.probability(probability, own.threshold, used),
        said=gettext("is flagged") if probability >= own.threshold else gettext("is not flagged"),
        enter_threshold=shown(used, "g"),
    )


def _own(laboratory: Laboratory, analysis: Analysis) -> list[OwnThreshold]:
    return [entry for entry in laboratory.thresholds if entry.kind is analysis.media.kind]


def _thresholds(laboratory: Laboratory, analysis: Analysis) -> tuple[OwnThresholdRow, ...]:
    return tuple(
        OwnThresholdRow(
            own=shown(own.threshold, "g"),
            used=shown(own.shipped, "g"),
            chosen_by=own.by,
            false_positive=rate_cell(own.false_positive),
            false_negative=rate_cell(own.false_negative),
        )
        for own in _own(laboratory, analysis)
    )


def _ratio(laboratory: Laboratory, analysis: Analysis) -> str:
    ratios = next((r for r in laboratory.likelihood_ratios if r.kind is analysis.media.kind), None)
    if ratios is None or analysis.probability is None:
        return ""
    log_ratio = stated_log10(ratios, analysis.probability)
    cost = shown(ratios.systems[1].cllr, ".2f")
    if round(ratios.systems[1].cllr, 2) >= 1:
        return gettext(
            "No likelihood ratio is stated, because on this material ratios are no more informative (Cllr "
            "%(cost)s) than no statement at all (Cllr 1).",
            cost=cost,
        )
    first, second = gettext("manipulated"), gettext("not manipulated")
    if log_ratio < 0:
        first, second = second, first
    ends = gettext("%(least)s to %(most)s", least=ratio_words(ratios.least), most=ratio_words(ratios.most))
    return gettext(
        "Likelihood ratio: %(ratio)s. On this material, a probability of %(probability)s is %(times)s "
        "times as likely for files that are %(first)s as for files that are %(second)s (Platt, Cllr "
        "%(cost)s; ratios are stated from %(ends)s only). It is not a probability of manipulation.",
        ratio=ratio_words(log_ratio),
        probability=formatting.probability(analysis.probability),
        times=ratio_words(abs(log_ratio)),
        first=first,
        second=second,
        cost=cost,
        ends=ends,
    )


def _outside(laboratory: Laboratory, analysis: Analysis) -> str:
    """Compare the exhibit with the ranges the laboratory measured, property by property."""
    covered = [entry for entry in laboratory.covered if entry.kind is analysis.media.kind]
    if not covered:
        return gettext(
            "No %(kinds)s were measured, so the validation does not apply to this exhibit.",
            kinds=gettext(_KINDS[analysis.media.kind]),
        )
    values, _ = measured_values(analysis)
    values["duration"] = analysis.media.duration
    covered = [entry for entry in covered if entry.name not in BINARY_PROPERTIES]
    known = [entry for entry in covered if entry.name in values]
    unknown = [translated(entry.name) for entry in covered if entry.name not in values]
    codec = None if analysis.media.still else _codec_was_measured(laboratory, analysis.media.codec)
    if codec is None and not analysis.media.still:
        unknown.append(gettext("codec"))
    rest = gettext(" Not known: %(unknown)s.", unknown=", ".join(unknown)) if unknown else ""
    person = compared_person(analysis)
    beyond = [
        property_of(entry.name, person)
        for entry in known
        if not entry.least <= round(values[entry.name], 4) <= entry.most  # stored with four decimals
    ]
    if codec is False:
        beyond.append(gettext("codec %(codec)s", codec=codec_name(analysis.media.codec)))
    compared = len(known) + (codec is not None)
    if beyond:
        return gettext(
            "This exhibit lies outside the measured ranges: %(beyond)s.%(rest)s",
            beyond=", ".join(beyond),
            rest=rest,
        )
    if not compared:
        return gettext(
            "It is not known whether this exhibit lies within the ranges of that material.%(rest)s", rest=rest
        )
    return gettext(
        "In all %(properties)s that could be compared, this exhibit lies within the ranges of that "
        "material.%(rest)s",
        properties=plural(compared, "property", "properties"),
        rest=rest,
    )


def _codec_was_measured(laboratory: Laboratory, codec: str) -> bool | None:
    """Return whether clips in the exhibit's codec were measured; None before schema 1.2."""
    if laboratory.codecs:
        return codec_name(codec) in {codec_name(entry.name) for entry in laboratory.codecs}
    other = codec not in MEASURED_CODECS
    for entry in laboratory.covered:
        if entry.kind is MediaKind.VIDEO and entry.name == OTHER_CODECS:
            if not entry.least <= other <= entry.most:
                return False
            return None if other else True  # there were clips in other codecs; which ones is not recorded
    return None

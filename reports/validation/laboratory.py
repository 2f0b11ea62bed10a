"""A laboratory's own validation, as the report of an exhibit quotes it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, MediaKind, Verdict
from detector.schema.formatting import codec_name
from detector.schema.laboratory import Laboratory, Level, OwnThreshold, stated_log10
from detector.schema.method import is_shipped_threshold
from detector.validation.validated_model import why_not_of_analysis
from detector.verdict import left_open
from detector.verdict.validated_domain import (
    MEASURED_CODECS,
    OF_FACES,
    OTHER_CODECS,
    YES_OR_NO,
    compared_person,
    measured,
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
    """A threshold of the laboratory's own beside that of the verdict, and its error rates."""

    own: str
    used: str
    chosen_by: str
    false_positive: RateCell | None
    false_negative: RateCell | None


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
    thresholds: tuple[OwnThresholdRow, ...]
    decision: str
    outside: str
    limits: tuple[str, ...]


def laboratory_view(laboratory: Laboratory, analysis: Analysis) -> LaboratoryView:
    """Put into words what ``laboratory`` says of exhibits like that of ``analysis``."""
    date = formatting.day(laboratory.created)
    whose = f" ({laboratory.laboratory})" if laboratory.laboratory else ""
    refused = why_not_of_analysis(laboratory, analysis)
    speaks = not refused
    return LaboratoryView(
        heading=gettext("This laboratory's validation of %(date)s", date=date),
        about=ngettext(
            "“%(material)s”%(laboratory)s, %(files)s labelled file, %(model)s.",
            "“%(material)s”%(laboratory)s, %(files)s labelled files, %(model)s.",
            laboratory.files,
            material=laboratory.title,
            laboratory=whose,
            files=shown(laboratory.files, ","),
            model=model_title(laboratory.model.title),
        ),
        sha256=laboratory.validation_sha256,
        refused=refused,
        remark=_remark(laboratory, analysis) if speaks else "",
        rows=_rows(laboratory, analysis) if speaks else (),
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


def _rows(laboratory: Laboratory, analysis: Analysis) -> tuple[LevelRow, ...]:
    """The rates that fit; of a class of faces with the person whose faces fall into it, of several."""
    whose = compared_person(analysis)

    def name(level: Level) -> str:
        named = full_level_name(level)
        if whose is None or level.attribute not in OF_FACES:
            return named
        return Quoted(gettext("%(name)s, person %(person)s", name=named, person=whose))

    return tuple(level_row(each, name(each)) for each in fitting(laboratory, analysis))


def own_decision(laboratory: Laboratory, analysis: Analysis) -> str:
    """What follows from the laboratory's own threshold, beside the verdict; empty where there is none."""
    own = next(iter(_own(laboratory, analysis)), None)
    if own is None or why_not_of_analysis(laboratory, analysis):
        return ""
    if analysis.probability is None:
        return gettext(
            "%(threshold)s: nothing was judged, so nothing follows from it.",
            threshold=shown(own.threshold, "g"),
        )
    return _follows(own, analysis, analysis.probability)


def _follows(own: OwnThreshold, analysis: Analysis, probability: float) -> str:
    used = analysis.parameters.enter_threshold
    words = N_(
        "From %(threshold)s, chosen by %(by)s: with a probability of %(probability)s "
        "this exhibit %(said)s. The verdict is that of the shipped threshold, "
        "%(enter_threshold)s."
    )
    if not is_shipped_threshold(used):
        words = N_(
            "From %(threshold)s, chosen by %(by)s: with a probability of %(probability)s "
            "this exhibit %(said)s. The verdict is that of the threshold used, "
            "%(enter_threshold)s."
        )
    cause = left_open.why(analysis) if analysis.verdict is Verdict.INCONCLUSIVE else None
    if cause is not None and left_open.whatever_the_scores(cause):
        words = N_(
            "From %(threshold)s, chosen by %(by)s: with a probability of %(probability)s "
            "this exhibit %(said)s. The verdict was left open for the reason given, whatever the threshold."
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
    return [each for each in laboratory.thresholds if each.kind is analysis.media.kind]


def _threshold(own: OwnThreshold) -> OwnThresholdRow:
    return OwnThresholdRow(
        own=shown(own.threshold, "g"),
        used=shown(own.shipped, "g"),
        chosen_by=own.by,
        false_positive=rate_cell(own.false_positive),
        false_negative=rate_cell(own.false_negative),
    )


def _remark(laboratory: Laboratory, analysis: Analysis) -> str:
    then, now = laboratory.source_sha256, analysis.software.source_sha256
    if then and now and then != now:
        return gettext("It was made with another version of the program, with the same model and parameters.")
    return ""


def _ratio(laboratory: Laboratory, analysis: Analysis) -> str:
    ratios = next((e for e in laboratory.likelihood_ratios if e.kind is analysis.media.kind), None)
    if ratios is None or analysis.probability is None:
        return ""
    stated = stated_log10(ratios, analysis.probability)
    value, cost = ratio_words(stated), shown(ratios.systems[1].cllr, ".2f")
    if round(ratios.systems[1].cllr, 2) >= 1:
        return gettext(
            "No likelihood ratio is stated: on this material ratios cost no less (Cllr %(cost)s) than saying "
            "nothing (1).",
            cost=cost,
        )
    first, second = gettext("manipulated"), gettext("not manipulated")
    if stated < 0:
        first, second = second, first
    ends = gettext(
        "%(least)s to %(most)s",
        least=ratio_words(ratios.least),
        most=ratio_words(ratios.most),
    )
    return gettext(
        "Likelihood ratio: %(ratio)s. On this material a probability of "
        "%(probability)s is %(times)s times as likely of what is %(first)s as of "
        "what is %(second)s (Platt, Cllr %(cost)s; ratios are stated from %(ends)s "
        "only). It is not a probability of manipulation.",
        ratio=value,
        probability=formatting.probability(analysis.probability),
        times=ratio_words(abs(stated)),
        first=first,
        second=second,
        cost=cost,
        ends=ends,
    )


def _outside(laboratory: Laboratory, analysis: Analysis) -> str:
    """How the exhibit lies to all that the laboratory measured, property by property."""
    covered = [each for each in laboratory.covered if each.kind is analysis.media.kind]
    if not covered:
        return gettext(
            "No %(kinds)s were measured: the validation says nothing of this exhibit.",
            kinds=gettext(_KINDS[analysis.media.kind]),
        )
    values, _ = measured(analysis)
    values["duration"] = analysis.media.duration
    covered = [each for each in covered if each.name not in YES_OR_NO]
    known = [each for each in covered if each.name in values]
    unknown = [translated(each.name) for each in covered if each.name not in values]
    codec = None if analysis.media.still else _codec_was_measured(laboratory, analysis.media.codec)
    if codec is None and not analysis.media.still:
        unknown.append(gettext("codec"))
    rest = gettext(" Not known: %(unknown)s.", unknown=", ".join(unknown)) if unknown else ""
    whose = compared_person(analysis)
    beyond = [
        property_of(each.name, whose)
        for each in known
        if not each.least <= round(values[each.name], 4) <= each.most  # as they are kept
    ]
    if codec is False:
        beyond.append(gettext("codec %(codec)s", codec=codec_name(analysis.media.codec)))
    compared = len(known) + (codec is not None)
    if beyond:
        return gettext(
            "This exhibit lies outside all that was measured there: %(beyond)s.%(rest)s",
            beyond=", ".join(beyond),
            rest=rest,
        )
    if not compared:
        return gettext(
            "It is not known whether this exhibit lies within what that material covers.%(rest)s", rest=rest
        )
    return gettext(
        "In all %(properties)s that could be compared, this exhibit lies within what that material "
        "covers.%(rest)s",
        properties=plural(compared, "property", "properties"),
        rest=rest,
    )


def _codec_was_measured(laboratory: Laboratory, codec: str) -> bool | None:
    """Whether clips in the exhibit's codec were; None where it is not known, as before schema 1.2."""
    if laboratory.codecs:
        return codec_name(codec) in {codec_name(each.name) for each in laboratory.codecs}
    other = codec not in MEASURED_CODECS
    for each in laboratory.covered:
        if each.kind is MediaKind.VIDEO and each.name == OTHER_CODECS:
            if not each.least <= other <= each.most:
                return False
            return None if other else True  # there were clips in others; in which is not kept
    return None

"""A laboratory's own validation, as the report of an exhibit quotes it."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.analysis import Analysis, Voice
from detector.schema.codec_names import codec_name
from detector.schema.laboratory import Laboratory, Level, OwnThreshold, Subject, stated_log10
from detector.schema.method import is_shipped_threshold
from detector.validation.validated_model import difference_to_analysis, difference_to_voice
from detector.verdict.finding import VoiceFinding, finding_of
from detector.verdict.validated_domain import (
    BINARY_PROPERTIES,
    FACE_PROPERTIES,
    MEASURED_CODECS,
    OTHER_CODECS,
)
from language import formatting
from language.formatting import plural, shown
from language.names import model_title
from language.translation import N_, Quoted, gettext, ngettext, text_of, translated
from reports.validation.error_rates import (
    ClassNames,
    LevelRow,
    RateCell,
    class_names,
    full_level_name,
    level_row,
    limit_texts,
    property_of,
    rate_cell,
)
from reports.validation.performance import ratio_words

_KINDS = {Subject.VIDEO: N_("videos"), Subject.IMAGE: N_("photographs"), Subject.VOICE: N_("voices")}
THRESHOLD = N_("The laboratory's threshold")
VOICE_THRESHOLD = N_("The laboratory's threshold for voices")


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
    names: ClassNames
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


@dataclass(frozen=True)
class _Compared:
    """What an analysis says of the faces or the voices of its exhibit, to compare with a validation."""

    kind: Subject
    values: dict[str, float]
    codec: str | None  # None: a photograph, or no sound
    probability: float | None
    used: float  # threshold of the verdict
    open_whatever_score: bool  # inconclusive for a reason that no threshold changes
    person: str | None = None  # whose faces ``values`` describes, if one of several


def _of_faces(analysis: Analysis) -> _Compared:
    media, finding = analysis.media, finding_of(analysis)
    return _Compared(
        kind=Subject(media.kind),
        values={**finding.measured, "duration": media.duration},
        codec=None if media.still else media.codec,
        probability=finding.probability,
        used=analysis.parameters.enter_threshold,
        open_whatever_score=finding.open_whatever_score,
        person=finding.compared_person,
    )


def _of_voices(voice: Voice, finding: VoiceFinding) -> _Compared:
    values = {item.name: item.value for item in voice.properties if isinstance(item.value, float)}
    return _Compared(
        kind=Subject.VOICE,
        values=values | {"speech": voice.speech},
        codec=voice.stream.codec if voice.stream else None,
        probability=finding.probability,
        used=voice.scores.enter,
        open_whatever_score=finding.open_whatever_score,
    )


def laboratory_view(laboratory: Laboratory, analysis: Analysis) -> LaboratoryView:
    """Describe what ``laboratory`` states about faces in exhibits like that of ``analysis``."""
    refused = difference_to_analysis(laboratory, analysis)
    return _view(laboratory, analysis, _of_faces(analysis), refused, laboratory.model.title)


def voices_view(laboratory: Laboratory, analysis: Analysis) -> LaboratoryView | None:
    """Describe what ``laboratory`` states about voices like those of ``analysis``.

    None if it measured no voices, or none were examined.
    """
    model, voice, finding = laboratory.voice_model, analysis.voice, finding_of(analysis).voices
    if model is None or voice is None or finding is None:
        return None
    compared = _of_voices(voice, finding)
    return _view(laboratory, analysis, compared, difference_to_voice(model, voice), model.title)


def _view(
    laboratory: Laboratory, analysis: Analysis, finding: _Compared, refused: str, title: str
) -> LaboratoryView:
    applies = not refused
    sources = {laboratory.source_sha256, analysis.software.source_sha256}
    is_other_version = all(sources) and len(sources) == 2
    return LaboratoryView(
        heading=gettext("This laboratory's validation of %(date)s", date=formatting.day(laboratory.created)),
        names=class_names(finding.kind),
        about=ngettext(
            "“%(material)s”%(laboratory)s, %(files)s labelled file, %(model)s.",
            "“%(material)s”%(laboratory)s, %(files)s labelled files, %(model)s.",
            laboratory.files,
            material=laboratory.title,
            laboratory=f" ({laboratory.laboratory})" if laboratory.laboratory else "",
            files=shown(laboratory.files, ","),
            model=model_title(title),
        ),
        sha256=laboratory.validation_sha256,
        refused=refused,
        remark=gettext("It was made with another version of the program, with the same model and parameters.")
        if applies and is_other_version
        else "",
        rows=_rows(laboratory, finding) if applies else (),
        ratio=_ratio(laboratory, finding) if applies else "",
        thresholds=_thresholds(laboratory, finding) if applies else (),
        decision=_decision(laboratory, finding) if applies else "",
        outside=_outside(laboratory, finding) if applies else "",
        limits=limit_texts(laboratory, voices=finding.kind is Subject.VOICE) if applies else (),
    )


def fitting(laboratory: Laboratory, analysis: Analysis) -> list[Level]:
    """Return the rates of the exhibit's kind, and of the parts of the material it belongs to."""
    return _fitting(laboratory, _of_faces(analysis))


def _fitting(laboratory: Laboratory, finding: _Compared) -> list[Level]:
    levels = []
    for level in laboratory.levels:
        if level.kind is not finding.kind:
            continue
        if not level.attribute:
            levels.append(level)
        elif level.attribute == "codec":
            if finding.codec is not None and level.name == codec_name(finding.codec):
                levels.append(level)
        elif (value := finding.values.get(level.attribute)) is not None:
            above = level.least is None or value >= level.least
            below = level.most is None or value < level.most
            if above and below and (level.least, level.most) != (None, None):
                levels.append(level)
    return levels


def _rows(laboratory: Laboratory, finding: _Compared) -> tuple[LevelRow, ...]:
    """Return the rates that apply, with the person for parts by a property of faces."""

    def name(level: Level) -> str:
        text = full_level_name(level)
        if finding.person is None or level.attribute not in FACE_PROPERTIES:
            return text
        return Quoted(gettext("%(name)s, person %(person)s", name=text, person=finding.person))

    return tuple(level_row(level, name(level)) for level in _fitting(laboratory, finding))


def _decision(laboratory: Laboratory, finding: _Compared) -> str:
    own = next(iter(_own(laboratory, finding)), None)
    if own is None:
        return ""
    used, probability = finding.used, finding.probability
    if probability is None:
        return gettext(
            "%(threshold)s: not applicable, because nothing was judged.",
            threshold=shown(own.threshold, "g"),
        )
    words = N_(
        "Flagged from %(threshold)s, chosen by %(by)s: with a score of %(score)s, this "
        "exhibit %(said)s. The verdict is based on the default threshold, %(enter_threshold)s."
    )
    if not is_shipped_threshold(used):
        words = N_(
            "Flagged from %(threshold)s, chosen by %(by)s: with a score of %(score)s, this "
            "exhibit %(said)s. The verdict is based on the threshold used, %(enter_threshold)s."
        )
    if finding.open_whatever_score:
        words = N_(
            "Flagged from %(threshold)s, chosen by %(by)s: with a score of %(score)s, this "
            "exhibit %(said)s. The verdict is inconclusive for the stated reason, whatever the threshold."
        )
    return gettext(
        words,
        threshold=shown(own.threshold, "g"),
        by=text_of(own.cause, own.by),
        score=formatting.probability(probability, own.threshold, used),
        said=gettext("is flagged") if probability >= own.threshold else gettext("is not flagged"),
        enter_threshold=shown(used, "g"),
    )


def _own(laboratory: Laboratory, finding: _Compared) -> list[OwnThreshold]:
    return [entry for entry in laboratory.thresholds if entry.kind is finding.kind]


def _thresholds(laboratory: Laboratory, finding: _Compared) -> tuple[OwnThresholdRow, ...]:
    return tuple(
        OwnThresholdRow(
            own=shown(own.threshold, "g"),
            used=shown(own.shipped, "g"),
            chosen_by=text_of(own.cause, own.by),
            false_positive=rate_cell(own.false_positive),
            false_negative=rate_cell(own.false_negative),
        )
        for own in _own(laboratory, finding)
    )


def _ratio(laboratory: Laboratory, finding: _Compared) -> str:
    ratios = next((r for r in laboratory.likelihood_ratios if r.kind is finding.kind), None)
    if ratios is None or finding.probability is None:
        return ""
    log_ratio = stated_log10(ratios, finding.probability)
    cost = shown(ratios.systems[1].cllr, ".2f")
    if round(ratios.systems[1].cllr, 2) >= 1:
        return gettext(
            "No likelihood ratio is stated, because on this material ratios are no more informative (Cllr "
            "%(cost)s) than no statement at all (Cllr 1).",
            cost=cost,
        )
    words = N_(
        "Likelihood ratio: %(ratio)s. On this material, a score of %(score)s is %(times)s "
        "times as likely for files that are %(first)s as for files that are %(second)s (Platt, Cllr "
        "%(cost)s; ratios are stated from %(ends)s only). It is not a probability of manipulation."
    )
    first, second = gettext("manipulated"), gettext("not manipulated")
    if finding.kind is Subject.VOICE:
        words = N_(
            "Likelihood ratio: %(ratio)s. On this material, a score of %(score)s is %(times)s "
            "times as likely for voices that are %(first)s as for voices that are %(second)s (Platt, Cllr "
            "%(cost)s; ratios are stated from %(ends)s only). It is not a probability of synthetic speech."
        )
        first, second = gettext("synthetic"), gettext("human")
    if log_ratio < 0:
        first, second = second, first
    ends = gettext("%(least)s to %(most)s", least=ratio_words(ratios.least), most=ratio_words(ratios.most))
    return gettext(
        words,
        ratio=ratio_words(log_ratio),
        score=formatting.probability(finding.probability),
        times=ratio_words(abs(log_ratio)),
        first=first,
        second=second,
        cost=cost,
        ends=ends,
    )


def _outside(laboratory: Laboratory, finding: _Compared) -> str:
    """Compare the exhibit with the ranges the laboratory measured, property by property."""
    covered = [entry for entry in laboratory.covered if entry.kind is finding.kind]
    if not covered:
        return gettext(
            "No %(kinds)s were measured, so the validation does not apply to this exhibit.",
            kinds=gettext(_KINDS[finding.kind]),
        )
    covered = [entry for entry in covered if entry.name not in BINARY_PROPERTIES]
    known = [entry for entry in covered if entry.name in finding.values]
    unknown = [translated(entry.name) for entry in covered if entry.name not in finding.values]
    codec = None
    if finding.codec is not None and (codec := _codec_was_measured(laboratory, finding)) is None:
        unknown.append(gettext("codec"))
    rest = gettext(" Not known: %(unknown)s.", unknown=", ".join(unknown)) if unknown else ""
    beyond = [
        property_of(entry.name, finding.person)
        for entry in known
        if not entry.least <= round(finding.values[entry.name], 4) <= entry.most  # stored with four decimals
    ]
    if codec is False and finding.codec is not None:
        beyond.append(gettext("codec %(codec)s", codec=codec_name(finding.codec)))
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


def _codec_was_measured(laboratory: Laboratory, finding: _Compared) -> bool | None:
    """Return whether exhibits in the codec of this one were measured; None if it is not recorded."""
    codec = finding.codec or ""
    if names := {codec_name(entry.name) for entry in laboratory.codecs if entry.kind is finding.kind}:
        return codec_name(codec) in names
    other = codec not in MEASURED_CODECS
    for entry in laboratory.covered:
        if entry.kind is Subject.VIDEO and entry.name == OTHER_CODECS:
            if not entry.least <= other <= entry.most:
                return False
            return None if other else True  # there were clips in other codecs; which ones is not recorded
    return None

"""View model of a validation report: everything that its template shows, already in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detector.schema.analysis import Parameters
from detector.schema.joint import JointRule
from detector.schema.laboratory import ByOther, ByRule, Level, Subject, Validation, ValidationItem
from detector.validation.validated_model import validates_faces
from language import formatting, translation
from language.formatting import grouped, plural, shown
from language.names import model_title
from language.translation import N_, UNTRANSLATED, Quoted, gettext, text_of, texts_of, translated
from reports.validation.error_rates import (
    KINDS,
    MEANINGS,
    ClassNames,
    LevelRow,
    all_limit_texts,
    class_names,
    level_row,
    limit_texts,
)
from reports.validation.performance import KindView, RatioView, kind_view, ratio_view
from reports.wording.sections import Fact, Section

_RULES = {
    JointRule.ANY: N_("manipulated if any model says so"),
    JointRule.MAJORITY: N_("verdict of more than half of the models"),
    JointRule.ALL: N_("verdict on which all models agree"),
}


@dataclass(frozen=True)
class OtherModelsTable:
    """One kind of media: a row for each model, then one for each rule."""

    title: str
    names: ClassNames
    models: tuple[LevelRow, ...]
    together: tuple[LevelRow, ...]


def other_models_tables(
    first: str, levels: Sequence[Level], others: Sequence[ByOther], joint: Sequence[ByRule]
) -> tuple[OtherModelsTable, ...]:
    """Return a table for each kind of media, none for a single model; ``first`` is its title."""
    if not others:
        return ()
    return tuple(
        OtherModelsTable(
            KINDS[kind],
            class_names(kind),
            (
                *_rows(kind, gettext("%(model)s, validated here", model=first), levels),
                *(
                    row
                    for rule in others
                    for row in _rows(kind, Quoted(model_title(rule.model.title)), rule.levels)
                ),
            ),
            tuple(row for rule in joint for row in _rows(kind, gettext(_RULES[rule.rule]), rule.levels)),
        )
        for kind in KINDS
        if kind is not Subject.VOICE and any(level.kind is kind for level in levels)
    )


def _rows(kind: Subject, name: str, levels: Iterable[Level]) -> Iterable[LevelRow]:
    return (level_row(level, name) for level in levels if level.kind is kind and not level.attribute)


_MOST_GRAVE = 4
_SECTIONS = (
    ("summary", N_("Summary")),
    ("material", N_("Material")),
    ("rates", N_("Error rates")),
    ("parts", N_("Error rates by part of the material")),
    ("others", N_("Other models")),
    ("ratios", N_("Likelihood ratios")),
    ("time", N_("When within a clip")),
    ("repeatability", N_("Repeatability")),
    ("limits", N_("Limits")),
    ("method", N_("Model, method and versions")),
    ("integrity", N_("Integrity and signature")),
    ("annex", N_("Annex: every file")),
)
GLOSSARY = (
    (
        N_("Likelihood ratio"),
        N_(
            "how many times more likely a score is for manipulated than for unmanipulated files, on this "
            "material. It is not a probability of manipulation: that also requires prior odds, which only "
            "the decision-maker can set."
        ),
    ),
    (
        "Cllr",
        N_(
            "the average cost of the likelihood ratios, in bits. 0 is perfect, 1 is uninformative, above 1 "
            "is misleading. Cllr min is the best that the order of the scores allows; the rest is due to "
            "calibration."
        ),
    ),
    (
        N_("Tippett plot"),
        N_(
            "for each ratio, the share of files of both classes with at least this ratio. Manipulated files "
            "left of 0 and unmanipulated files right of 0 have misleading ratios."
        ),
    ),
    (N_("Empirical cross-entropy"), N_("the same cost at prior odds other than even.")),
)


@dataclass(frozen=True)
class RepetitionRow:
    """Changes when some files were analysed again."""

    how: str
    files: str
    verdicts_changed: str
    largest_difference: str  # of a probability
    segments_changed: str
    edges_moved: str  # by at most


@dataclass(frozen=True)
class AnnexRow:
    """One file of the material."""

    file: str
    label: str
    verdict: str
    probability: str
    sha256: str


@dataclass(frozen=True)
class ValidationReport:
    """Everything that a validation report shows."""

    sections: dict[str, Section]
    title: str = field(metadata=UNTRANSLATED)
    heading: str
    of_voices: bool  # besides faces, or alone
    running: str
    facts: tuple[Fact, ...]
    created: str
    created_iso: str
    reelproof: str
    material_sha256: str
    files: str
    remarks: tuple[str, ...]
    labelled: str
    meanings: tuple[tuple[str, str], ...]
    kinds: tuple[KindView, ...]
    others: tuple[OtherModelsTable, ...]
    other_models: tuple[Fact, ...]
    model_title: str = field(metadata=UNTRANSLATED)
    ratios: tuple[RatioView, ...]
    time: tuple[Fact, ...]
    voice_time: tuple[Fact, ...]
    repetitions: tuple[RepetitionRow, ...]
    caution: tuple[str, ...]  # the gravest limits, for the summary
    limits: tuple[str, ...]
    model: tuple[Fact, ...]
    voice_model: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    parameters: tuple[tuple[str, str, str], ...]
    glossary: tuple[tuple[str, str], ...]
    annex: tuple[AnnexRow, ...] = field(metadata=UNTRANSLATED)


def validation_report(validation: Validation, language_code: str = translation.DEFAULT) -> ValidationReport:
    """Describe a validation in the language ``language_code``."""
    with translation.speaking(language_code):
        return translation.translated_view(_view(validation))


def _view(validation: Validation) -> ValidationReport:
    created, created_iso = formatting.in_utc(validation.created)
    model, title = validation.model, model_title(validation.model.title)
    optional = {
        "others": bool(validation.others),
        "ratios": bool(validation.likelihood_ratios),
        "time": bool(validation.temporal or validation.voice_temporal),
    }
    sections = [(key, name) for key, name in _SECTIONS if optional.get(key, True)]
    faces, voices = validates_faces(validation), validation.voice_model
    model_fact = Fact(N_("Model"), Quoted(f"{title} ({model.name})"))
    weights = Fact(N_("Weights, SHA-256"), model.sha256, exact=True)
    head = [*((model_fact, weights) if faces else ())]
    voice_facts: tuple[Fact, ...] = ()
    if voices:
        name = Quoted(f"{voices.title} ({voices.name})")
        voice_weights = Fact(N_("… weights, SHA-256"), voices.sha256, exact=True)
        head += [Fact(N_("Network for voices"), name), voice_weights]
        voice_facts = (
            Fact(N_("Name"), name),
            Fact(N_("Architecture"), Quoted(voices.architecture)),
            replace(voice_weights, name=weights.name),
            Fact(N_("Decision-relevant part of the card, SHA-256"), voices.card_sha256, exact=True),
            Fact(N_("A segment begins at a score of"), shown(voices.enter, "g")),
            Fact(N_("… and ends below"), shown(voices.leave, "g")),
        )
    second_look: tuple[Fact, ...] = ()
    if model.second_look:
        second_look = (
            Fact(N_("Second look"), model.second_look.architecture),
            Fact(N_("… weights, SHA-256"), model.second_look.sha256, exact=True),
        )
    return ValidationReport(
        sections={key: Section(key, number, name) for number, (key, name) in enumerate(sections, start=1)},
        title=formatting.file_name(validation.title),
        running=gettext(
            "Validation of %(date)s, %(model)s",
            date=formatting.day(validation.created),
            model=title if faces or not voices else voices.title,
        ),
        heading=N_("Validation report: manipulation of faces")
        if not voices
        else N_("Validation report: manipulation of faces, and synthetic voices")
        if faces
        else N_("Validation report: synthetic voices"),
        of_voices=voices is not None,
        facts=(
            Fact(N_("Laboratory"), Quoted(validation.laboratory or "") or gettext("not stated")),
            Fact(N_("Finished"), created),
            *head,
            Fact(N_("Files"), grouped(validation.files)),
        ),
        created=created,
        created_iso=created_iso,
        reelproof=validation.versions.reelproof,
        material_sha256=validation.material_sha256,
        files=plural(validation.files, "file", "files"),
        remarks=texts_of(validation.remark_causes, validation.remarks),
        labelled=", ".join(map(translated, validation.labelled)) or gettext("nothing"),
        meanings=MEANINGS,
        kinds=tuple(kind_view(validation, kind) for kind in KINDS if validation.level(kind)),
        others=other_models_tables(title, validation.levels, validation.others, validation.joint),
        other_models=tuple(
            Fact(
                Quoted(f"{model_title(other.model.title)} ({other.model.name})"),
                other.model.sha256,
                exact=True,
            )
            for other in validation.others
        ),
        model_title=title,
        ratios=tuple(map(ratio_view, validation.likelihood_ratios)),
        time=_time(validation.temporal),
        voice_time=_time(validation.voice_temporal),
        repetitions=tuple(
            RepetitionRow(
                text_of(repetition.cause, repetition.how),
                str(repetition.items),
                str(repetition.verdicts_changed),
                shown(repetition.largest_difference, ".6f"),
                str(repetition.segments_changed),
                f"{shown(repetition.largest_edge, '.3f')} s",
            )
            for repetition in validation.repetitions
        ),
        caution=_gravest(validation),
        limits=all_limit_texts(validation),
        model=(
            replace(model_fact, name=N_("Name")),
            Fact(N_("Architecture"), Quoted(model.architecture)),
            weights,
            *second_look,
            Fact(N_("Decision-relevant part of the card, SHA-256"), model.card_sha256, exact=True),
        )
        if faces
        else (),
        voice_model=voice_facts,
        versions=_versions(validation),
        parameters=_parameters(validation.parameters),
        glossary=GLOSSARY if validation.likelihood_ratios else (),
        annex=tuple(map(_annex_row, validation.items)),
    )


def _gravest(validation: Validation) -> tuple[str, ...]:
    """Return four limits, of faces and voices as many if both have some."""
    of_faces, of_voices = limit_texts(validation, voices=False), limit_texts(validation, voices=True)
    half = _MOST_GRAVE // 2
    faces = max(half, _MOST_GRAVE - len(of_voices))
    voices = max(half, _MOST_GRAVE - len(of_faces))
    return tuple(dict.fromkeys((*of_faces[:faces], *of_voices[:voices])))


def _time(figures: Mapping[str, float | None]) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, gettext("none") if value is None else formatting.number(value))
        for name, value in figures.items()
    )


def _versions(validation: Validation) -> tuple[Fact, ...]:
    used = validation.versions
    commit = gettext(", commit %(commit)s", commit=used.commit) if used.commit else ""
    return (
        Fact("Reelproof", used.reelproof + commit),
        Fact(N_("Engine's source, SHA-256"), used.source_sha256 or gettext("not known"), exact=True),
        Fact(N_("Back end"), "; ".join(used.backends) or gettext("not known")),
        Fact(N_("Machine"), f"{used.processor}; {used.system}; Python {used.python}"),
        Fact(N_("Libraries"), ", ".join(f"{library.name} {library.version}" for library in used.libraries)),
    )


def _parameters(parameters: Parameters) -> tuple[tuple[str, str, str], ...]:
    """Return the parameters that differ from the defaults."""
    values = (
        (name, getattr(parameters, name), info.default) for name, info in Parameters.model_fields.items()
    )
    return tuple(
        (name, formatting.number(value), formatting.number(default))
        for name, value, default in values
        if value != default
    )


def _annex_row(item: ValidationItem) -> AnnexRow:
    names = class_names(item.kind or Subject.VIDEO)
    verdict = translated(str(item.verdict))
    if item.error is not None:
        verdict = gettext(
            "not analysed: %(why)s", why=formatting.file_name(text_of(item.cause, item.error))[:80]
        )
    return AnnexRow(
        formatting.shortened(formatting.file_name(item.file), 44),
        gettext(names.manipulated if item.manipulated else names.unmanipulated),
        verdict,
        "–" if item.probability is None else shown(item.probability, ".3f"),
        item.sha256,
    )

"""View model of a validation report: everything that its template shows, already in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from detector.schema.analysis import MediaKind, Parameters
from detector.schema.laboratory import ByOther, ByRule, Level, Repetition, Validation, ValidationItem
from detector.schema.method import JointRule
from reports.language import formatting, translation
from reports.language.formatting import grouped, plural, shown
from reports.language.names import model_title
from reports.language.translation import N_, UNTRANSLATED, Quoted, gettext, translated
from reports.validation.error_rates import KINDS, MEANINGS, LevelRow, level_row
from reports.validation.performance import KindView, RatioView, kind_view, ratio_view
from reports.wording.sections import Fact, Section

_RULES = {
    JointRule.ANY: N_("manipulated if any model says so"),
    JointRule.MAJORITY: N_("what more than half of the models say"),
    JointRule.ALL: N_("what all models say"),
}


@dataclass(frozen=True)
class OtherModelsTable:
    """One kind of media: a row for each model, then one for each rule."""

    title: str
    models: tuple[LevelRow, ...]
    together: tuple[LevelRow, ...]


def other_models_tables(
    first: str, levels: Sequence[Level], others: Sequence[ByOther], joint: Sequence[ByRule]
) -> tuple[OtherModelsTable, ...]:
    """A table for each kind; none where one model was validated alone. ``first`` is its title."""
    if not others:
        return ()
    return tuple(
        OtherModelsTable(
            KINDS[kind],
            (
                *_rows(kind, gettext("%(model)s, validated here", model=first), levels),
                *(
                    row
                    for each in others
                    for row in _rows(kind, Quoted(model_title(each.model.title)), each.levels)
                ),
            ),
            tuple(row for each in joint for row in _rows(kind, gettext(_RULES[each.rule]), each.levels)),
        )
        for kind in KINDS
        if any(level.kind is kind for level in levels)
    )


def _rows(kind: MediaKind, name: str, levels: Iterable[Level]) -> Iterable[LevelRow]:
    return (level_row(each, name) for each in levels if each.kind is kind and not each.attribute)


_SECTIONS = (
    ("summary", N_("Summary")),
    ("material", N_("Material")),
    ("rates", N_("Error rates")),
    ("parts", N_("Error rates by part of the material")),
    ("others", N_("Other models")),
    ("ratios", N_("Likelihood ratios")),
    ("time", N_("When within a clip")),
    ("repeatability", N_("Repeatability")),
    ("limits", N_("Limits found")),
    ("method", N_("Model, method and versions")),
    ("integrity", N_("Integrity and signature")),
    ("annex", N_("Annex: every file")),
)
GLOSSARY = (
    (N_("Likelihood ratio"), N_("how many times likelier a score is of something manipulated than of "
     "something that is not, on this material. It is not a probability of manipulation: that takes prior "
     "odds, which are for whoever decides.")),
    ("Cllr", N_("what likelihood ratios cost on average, in bits. 0 is perfect, 1 says nothing, above 1 does "
     "harm. Cllr min is what the order of the scores would allow at best; the rest is calibration.")),
    (N_("Tippett plot"), N_("for each ratio, the shares of both classes that have at least this one. "
     "Manipulated ones left of 0 and unmanipulated ones right of 0 are misled.")),
    (N_("Empirical cross-entropy"), N_("the same cost at other prior odds than even ones.")),
)  # fmt: skip


@dataclass(frozen=True)
class RepetitionRow:
    """What came out when some files were analysed once more."""

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
    """All a validation report shows."""

    sections: dict[str, Section]
    title: str = field(metadata=UNTRANSLATED)
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
    repetitions: tuple[RepetitionRow, ...]
    limits: tuple[str, ...]
    model: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    parameters: tuple[tuple[str, str, str], ...]
    glossary: tuple[tuple[str, str], ...]
    annex: tuple[AnnexRow, ...] = field(metadata=UNTRANSLATED)


def validation_report(validation: Validation, language_code: str = translation.DEFAULT) -> ValidationReport:
    """Put a validation into words of the language ``language_code``."""
    with translation.speaking(language_code):
        return translation.translated_view(_view(validation))


def _view(validation: Validation) -> ValidationReport:
    created, created_iso = formatting.in_utc(validation.created)
    return ValidationReport(
        sections=_sections(validation),
        title=formatting.file_name(validation.title),
        running=gettext(
            "Validation of %(date)s, %(model)s",
            date=formatting.day(validation.created),
            model=model_title(validation.model.title),
        ),
        facts=_facts(validation, created),
        created=created,
        created_iso=created_iso,
        reelproof=validation.versions.reelproof,
        material_sha256=validation.material_sha256,
        files=plural(len(validation.items), "file", "files"),
        remarks=validation.remarks,
        labelled=", ".join(map(translated, validation.labelled)) or gettext("nothing"),
        meanings=MEANINGS,
        kinds=tuple(kind_view(validation, kind) for kind in KINDS if validation.level(kind)),
        others=other_models_tables(
            model_title(validation.model.title), validation.levels, validation.others, validation.joint
        ),
        other_models=_other_models(validation),
        model_title=model_title(validation.model.title),
        ratios=tuple(map(ratio_view, validation.likelihood_ratios)),
        time=_time(validation),
        repetitions=tuple(map(_repetition_row, validation.repetitions)),
        limits=validation.limits,
        model=_model(validation),
        versions=_versions(validation),
        parameters=_parameters(validation.parameters),
        glossary=GLOSSARY if validation.likelihood_ratios else (),
        annex=tuple(map(_annex_row, validation.items)),
    )


def _sections(validation: Validation) -> dict[str, Section]:
    """Those that this validation has, numbered from 1."""
    there = {
        "others": bool(validation.others),
        "ratios": bool(validation.likelihood_ratios),
        "time": bool(validation.temporal),
    }
    present = [(key, title) for key, title in _SECTIONS if there.get(key, True)]
    return {key: Section(key, number, title) for number, (key, title) in enumerate(present, start=1)}


def _facts(validation: Validation, created: str) -> tuple[Fact, ...]:
    model = validation.model
    return (
        Fact(N_("Laboratory"), Quoted(validation.laboratory or "") or gettext("not stated")),
        Fact(N_("Finished"), created),
        Fact(N_("Model"), Quoted(f"{model_title(model.title)} ({model.name})")),
        Fact(N_("Weights, SHA-256"), model.sha256, exact=True),
        Fact(N_("Files"), grouped(len(validation.items))),
    )


def _model(validation: Validation) -> tuple[Fact, ...]:
    model = validation.model
    found = [
        Fact(N_("Name"), Quoted(f"{model_title(model.title)} ({model.name})")),
        Fact(N_("Architecture"), Quoted(model.architecture)),
        Fact(N_("Weights, SHA-256"), model.sha256, exact=True),
    ]
    if model.second_look:
        found.append(Fact(N_("Second look"), model.second_look.architecture))
        found.append(Fact(N_("… weights, SHA-256"), model.second_look.sha256, exact=True))
    found.append(Fact(N_("Deciding part of the card, SHA-256"), model.card_sha256, exact=True))
    return tuple(found)


def _other_models(validation: Validation) -> tuple[Fact, ...]:
    return tuple(
        Fact(Quoted(f"{model_title(each.model.title)} ({each.model.name})"), each.model.sha256, exact=True)
        for each in validation.others
    )


def _versions(validation: Validation) -> tuple[Fact, ...]:
    used = validation.versions
    commit = gettext(", commit %(commit)s", commit=used.commit) if used.commit else ""
    return (
        Fact("Reelproof", used.reelproof + commit),
        Fact(N_("Engine's source, SHA-256"), used.source_sha256 or gettext("not known"), exact=True),
        Fact(N_("Back end"), "; ".join(used.backends) or gettext("not known")),
        Fact(N_("Machine"), f"{used.processor}; {used.system}; Python {used.python}"),
        Fact(N_("Libraries"), ", ".join(f"{each.name} {each.version}" for each in used.libraries)),
    )


def _parameters(given: Parameters) -> tuple[tuple[str, str, str], ...]:
    """Those that are not the shipped ones."""
    found = []
    for name, parameter in Parameters.model_fields.items():
        value = getattr(given, name)
        if value != parameter.default:
            found.append((name, formatting.number(value), formatting.number(parameter.default)))
    return tuple(found)


def _time(validation: Validation) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, gettext("none") if value is None else formatting.number(value))
        for name, value in validation.temporal.items()
    )


def _repetition_row(repeated: Repetition) -> RepetitionRow:
    return RepetitionRow(
        repeated.how,
        str(repeated.items),
        str(repeated.verdicts_changed),
        shown(repeated.largest_difference, ".6f"),
        str(repeated.segments_changed),
        f"{shown(repeated.largest_edge, '.3f')} s",
    )


def _annex_row(item: ValidationItem) -> AnnexRow:
    said = translated(str(item.verdict))
    if item.error is not None:
        said = gettext("not analysed: %(why)s", why=formatting.file_name(translated(item.error))[:80])
    figure = "–" if item.probability is None else shown(item.probability, ".3f")
    return AnnexRow(
        formatting.shortened(formatting.file_name(item.file), 44),
        gettext("manipulated") if item.manipulated else gettext("unmanipulated"),
        said,
        figure,
        item.sha256,
    )

"""Method: coverage of the exhibit, parameters and the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis, Model, Parameters, Platt
from detector.schema.method import PHOTO_PARAMETERS, VIDEO_PARAMETERS
from detector.schema.model import PAGES_LEFT_OUT, PHOTOGRAPHS_LEFT_OUT
from language import formatting
from language.formatting import shown
from language.names import model_title
from language.translation import (
    DEFAULT,
    UNTRANSLATED,
    Quoted,
    current,
    gettext,
    in_parts,
    text_of,
    texts_of,
    translated,
)
from reports.sound.facts import sound_facts
from reports.wording.sections import Fact
from reports.wording.verbal_scale import concerns


@dataclass(frozen=True)
class ParameterView:
    """One parameter of the analysis; ``changed`` if it differs from the default."""

    name: str
    value: str
    default: str
    meaning: str
    changed: bool


_HEADLINES = (
    "AUC",
    "unmanipulated ones flagged",
    "films and stock footage, unmanipulated ones flagged",
    "manipulated ones flagged",
)


@dataclass(frozen=True)
class ModelView:
    """The model and its measured performance."""

    title: str = field(metadata=UNTRANSLATED)
    facts: tuple[Fact, ...]
    figures: tuple[Fact, ...]
    # The few that say what to expect of unknown material, or else the first ones; the material, if known
    headlines: tuple[Fact, ...]
    measured_on: str
    domain: str
    limits: tuple[str, ...]
    foreign: bool  # the author's text has no translation into the current language


def coverage_facts(analysis: Analysis) -> tuple[Fact, ...]:
    """Count what was examined."""
    coverage = analysis.coverage
    if analysis.media.sound_only:
        return sound_facts(analysis)
    if analysis.media.still:
        flaws = "; ".join(map(translated, coverage.flaws))
        return (
            Fact(gettext("Faces found"), shown(coverage.faces_found, ",")),
            Fact(gettext("… judged"), shown(coverage.faces_found - coverage.faces_unusable, ",")),
            Fact(gettext("… not judged"), shown(coverage.faces_unusable, ","), flaws),
        )
    return (
        Fact(gettext("Frames sampled"), shown(coverage.frames_sampled, ",")),
        Fact(gettext("… with a face"), shown(coverage.frames_with_face, ",")),
        Fact(gettext("… with a usable face"), shown(coverage.frames_with_usable_face, ",")),
        Fact(
            gettext("Additional frames judged"),
            shown(coverage.frames_between, ","),
            gettext("around the ends of segments"),
        ),
        Fact(gettext("Faces found"), shown(coverage.faces_found, ",")),
        Fact(gettext("… unusable"), shown(coverage.faces_unusable, ",")),
        Fact(gettext("Scene cuts"), shown(len(coverage.cuts), ",")),
    )


def parameter_views(analysis: Analysis) -> tuple[ParameterView, ...]:
    """List the parameters that apply to this kind of exhibit, with their descriptions in the schema."""
    others = VIDEO_PARAMETERS if analysis.media.still else PHOTO_PARAMETERS
    return tuple(
        ParameterView(
            name.replace("_", " "),
            formatting.number(value),
            formatting.number(info.default),
            info.description or "",
            value != info.default,
        )
        for name, info in Parameters.model_fields.items()
        if name not in others and (name == "sound" or not analysis.media.sound_only)
        for value in [getattr(analysis.parameters, name)]
    )


def _platt(value: Platt | None) -> str:
    if value is None:
        return gettext("as of frames")
    return gettext(
        "mean logit × %(scale)s %(sign)s %(offset)s",
        scale=formatting.number(value.scale),
        sign="−" if value.offset < 0 else "+",
        offset=formatting.number(abs(value.offset)),
    )


def model_view(value: Model, still: bool) -> ModelView:
    """Describe the model's card as it was during the analysis, with its figures for this kind of exhibit."""
    left_out = f"{PHOTOGRAPHS_LEFT_OUT if still else PAGES_LEFT_OUT}, "
    figures = {name: figure for name, figure in value.figures.items() if concerns(value, name, still)}
    headlines = {left_out + name: name for name in _HEADLINES if left_out + name in figures}
    measured_on = translated(left_out.removesuffix(", ")) if headlines else ""
    return ModelView(
        title=model_title(value.title),
        facts=(
            Fact(gettext("Name"), Quoted(value.name)),
            Fact(gettext("Architecture"), Quoted(value.architecture)),
            Fact(gettext("SHA-256 of the weights"), value.sha256, exact=True),
            Fact(
                gettext("Calibration of frames"),
                gettext("logit ÷ %(temperature)s", temperature=formatting.number(value.temperature)),
            ),
            Fact(gettext("Calibration of segments"), _platt(value.segment)),
            Fact(gettext("Calibration of the whole exhibit"), _platt(value.exhibit)),
        ),
        figures=tuple(
            Fact(in_parts(name.replace("_", " ")), formatting.number(figure))
            for name, figure in figures.items()
        ),
        headlines=tuple(
            Fact(in_parts(name.replace("_", " ")), formatting.number(figures[full]))
            for full, name in (headlines or {name: name for name in list(figures)[:4]}).items()
        ),
        measured_on=measured_on,
        domain=text_of(value.domain_cause, value.domain),
        limits=texts_of(value.limit_causes, value.limits),
        foreign=current() != DEFAULT
        and bool(value.domain if value.domain_cause is None else value.limits and not value.limit_causes),
    )

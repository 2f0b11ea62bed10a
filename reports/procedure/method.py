"""Method: coverage of the exhibit, parameters and the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.schema.analysis import Analysis, Model, Parameters, Platt
from reports.language import formatting
from reports.language.formatting import shown
from reports.language.names import model_title
from reports.language.translation import DEFAULT, UNTRANSLATED, Quoted, current, gettext, in_parts, translated
from reports.wording import photographs
from reports.wording.sections import Fact
from reports.wording.verbal_scale import concerns


@dataclass(frozen=True)
class ParameterView:
    """One parameter of the analysis; ``changed`` when it is not the shipped default."""

    name: str
    value: str
    default: str
    meaning: str
    changed: bool


@dataclass(frozen=True)
class ModelView:
    """The network that judged, and how well it was measured to."""

    title: str = field(metadata=UNTRANSLATED)
    facts: tuple[Fact, ...]
    figures: tuple[Fact, ...]
    domain: str
    limits: tuple[str, ...]
    foreign: bool  # its author's words have no translation into the language spoken


def coverage_facts(analysis: Analysis) -> tuple[Fact, ...]:
    """How much was looked at, in counts."""
    looked = analysis.coverage
    if analysis.media.still:
        flaws = "; ".join(map(translated, looked.flaws))
        return (
            Fact(gettext("Faces found"), shown(looked.faces_found, ",")),
            Fact(gettext("… judged"), shown(looked.faces_found - looked.faces_unusable, ",")),
            Fact(gettext("… not judged"), shown(looked.faces_unusable, ","), flaws),
        )
    beside = shown(looked.frames_between, ",")
    return (
        Fact(gettext("Frames sampled"), shown(looked.frames_sampled, ",")),
        Fact(gettext("… with a face"), shown(looked.frames_with_face, ",")),
        Fact(gettext("… with a usable face"), shown(looked.frames_with_usable_face, ",")),
        Fact(gettext("Frames judged besides"), beside, gettext("around segments' ends")),
        Fact(gettext("Faces found"), shown(looked.faces_found, ",")),
        Fact(gettext("… unusable"), shown(looked.faces_unusable, ",")),
        Fact(gettext("Scene cuts"), shown(len(looked.cuts), ",")),
    )


def parameter_views(analysis: Analysis) -> tuple[ParameterView, ...]:
    """Every parameter that plays a part, with its meaning as the schema gives it."""
    found = []
    for name in photographs.parameters_of(analysis.media.still):
        field = Parameters.model_fields[name]
        value, default = getattr(analysis.parameters, name), field.default
        found.append(
            ParameterView(
                name.replace("_", " "),
                formatting.number(value),
                formatting.number(default),
                field.description or "",
                value != default,
            )
        )
    return tuple(found)


def _platt(value: Platt | None) -> str:
    if value is None:
        return gettext("as of frames")
    sign = "−" if value.offset < 0 else "+"
    return gettext(
        "mean raw score × %(scale)s %(sign)s %(offset)s",
        scale=formatting.number(value.scale),
        sign=sign,
        offset=formatting.number(abs(value.offset)),
    )


def model_view(value: Model, still: bool) -> ModelView:
    """The model's card, as it was when the analysis was made; its figures of exhibits of the same kind."""
    figures = {name: figure for name, figure in value.figures.items() if concerns(value, name, still)}
    return ModelView(
        title=model_title(value.title),
        facts=(
            Fact(gettext("Name"), Quoted(value.name)),
            Fact(gettext("Architecture"), Quoted(value.architecture)),
            Fact(gettext("SHA-256 of the weights"), value.sha256, exact=True),
            Fact(
                gettext("Calibration of frames"),
                gettext("raw score ÷ %(temperature)s", temperature=formatting.number(value.temperature)),
            ),
            Fact(gettext("Calibration of segments"), _platt(value.segment)),
            Fact(gettext("Calibration of the whole exhibit"), _platt(value.exhibit)),
        ),
        figures=tuple(
            Fact(in_parts(name.replace("_", " ")), formatting.number(figure))
            for name, figure in figures.items()
        ),
        domain=value.domain,
        limits=value.limits,
        foreign=current() != DEFAULT
        and any(translated(each) == each for each in (value.domain, *value.limits) if each),
    )

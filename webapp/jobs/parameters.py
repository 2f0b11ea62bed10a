"""Parameters of an analysis that differ from the defaults: stored form and web form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from detector.schema.analysis import Parameters
from detector.schema.method import JointRule
from reports.language import formatting
from reports.language.translation import N_, capitalize_first, gettext, translated
from webapp.errors import UserError


@dataclass(frozen=True)
class ParameterField:
    """One parameter the form offers: its name, what it is called, its unit, what changing it does."""

    name: str
    label: str
    unit: str
    effect: str
    step: str

    @property
    def default(self) -> float:
        """The shipped value."""
        return float(Parameters.model_fields[self.name].default)

    @property
    def limits(self) -> tuple[float, float | None]:
        """Least and greatest value that make sense; the engine's own, which may leave out the ends."""
        least, most = 0.0, None
        for limit in Parameters.model_fields[self.name].metadata:
            if isinstance(limit, Gt | Ge):
                least = float(limit.gt if isinstance(limit, Gt) else limit.ge)  # type: ignore[arg-type]
            elif isinstance(limit, Lt | Le):
                most = float(limit.lt if isinstance(limit, Lt) else limit.le)  # type: ignore[arg-type]
        return least, most


ALSO, JOINT = "also", "joint"
_OF_OTHERS = (ALSO, JOINT)


@dataclass(frozen=True)
class OtherModels:
    """Names of the models that judge beside the first one, and the rule of their joint verdict."""

    names: tuple[str, ...] = ()
    rule: JointRule = JointRule.FIRST


# Those a person can say something sensible about; the others were measured and belong together.
FIELDS = (
    ParameterField(
        "sample_rate",
        N_("Frames looked at"),
        N_("a second"),
        N_("More finds shorter manipulations and takes longer, in proportion."),
        "any",
    ),
    ParameterField(
        "enter_threshold",
        N_("A segment opens at a score of"),
        N_("of 1"),
        N_("Lower flags more, and more of it wrongly."),
        "0.01",
    ),
    ParameterField(
        "exit_threshold",
        N_("A segment closes below a score of"),
        N_("of 1"),
        N_("Lower makes segments longer. Not above the score that opens one."),
        "0.01",
    ),
    ParameterField(
        "minimum_duration",
        N_("Shortest segment"),
        N_("seconds"),
        N_("Shorter ones are dropped. Longer keeps brief false alarms out, and brief manipulations too."),
        "any",
    ),
    ParameterField(
        "minimum_face",
        N_("Smallest face judged"),
        N_("pixels wide"),
        N_("Smaller takes in more faces, of which the model was not measured to judge well."),
        "any",
    ),
)


def dump_parameters(changes: Mapping[str, Any]) -> str | None:
    """``changes`` as a row keeps them: what differs from the default, checked; none if nothing does.

    Raises ``pydantic.ValidationError`` for a parameter that does not exist or cannot have that value.
    """
    given = dict(changes)
    asked = {name: given.pop(name) for name in _OF_OTHERS if given.get(name)}
    for name in _OF_OTHERS:
        given.pop(name, None)
    differing = Parameters.model_validate(given).model_dump(exclude_defaults=True) | asked
    return json.dumps(differing, sort_keys=True) if differing else None


def read_parameters(text: str | None) -> Parameters:
    """The parameters of a row."""
    kept = json.loads(text or "{}")
    return Parameters.model_validate({name: kept[name] for name in kept if name not in _OF_OTHERS})


def read_other_models(text: str | None) -> OtherModels:
    """The other models that a row asks for."""
    kept = json.loads(text or "{}")
    return OtherModels(tuple(kept.get(ALSO, ())), JointRule(kept.get(JOINT, JointRule.FIRST)))


def parameters_from_form(form: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """What a form changed, and by field what is wrong with it. An empty field means the default."""
    changes: dict[str, float] = {}
    problems: dict[str, str] = {}
    for field in FIELDS:
        text = form.get(field.name, "").strip().replace(",", ".")
        if not text:
            continue
        try:
            changes[field.name] = float(text)
            Parameters.model_validate({field.name: changes[field.name]})
        except ValidationError as problem:
            problems[field.name] = _in_words(problem)
        except ValueError:
            problems[field.name] = gettext("This must be a number.")
    if not problems:
        chosen = Parameters.model_validate(changes)
        if chosen.exit_threshold > chosen.enter_threshold:  # the other pair that may cross has no field
            problems["exit_threshold"] = gettext(
                "This must not be above the score that opens a segment, %(score)s.",
                score=formatting.number(chosen.enter_threshold),
            )
    return changes, problems


def describe_parameters(text: str | None) -> list[tuple[str, str]]:
    """The changed parameters of a row, as names and values to show."""
    changed = read_parameters(text).model_dump(exclude_defaults=True)
    known = {field.name: field for field in FIELDS}
    asked = read_other_models(text)
    told = [(gettext("Other models"), ", ".join(asked.names))] if asked.names else []
    return told + [
        (gettext(known[name].label), f"{formatting.number(value)} {gettext(known[name].unit)}")
        if name in known
        else (capitalize_first(translated(name.replace("_", " "))), formatting.number(value))
        for name, value in changed.items()
    ]


def parameters_error(problems: Mapping[str, str]) -> UserError:
    """The answer to a program that sent parameters which cannot be used."""
    labels = {field.name: field.label for field in FIELDS}
    lines = (f"{gettext(labels[name])}: {problem}" for name, problem in problems.items())
    return UserError(400, " ".join(lines), gettext("Put that right, then start the analysis again."))


def _in_words(problem: ValidationError) -> str:
    kind = problem.errors()[0]
    limits = kind.get("ctx", {})
    match kind["type"]:
        case "greater_than":
            return gettext("This must be above %(limit)s.", limit=formatting.number(limits["gt"]))
        case "greater_than_equal":
            return gettext("This must be %(limit)s or more.", limit=formatting.number(limits["ge"]))
        case "less_than":
            return gettext("This must be below %(limit)s.", limit=formatting.number(limits["lt"]))
        case "less_than_equal":
            return gettext("This must be %(limit)s or less.", limit=formatting.number(limits["le"]))
    return gettext("This must be a number.")

"""Parameters of an analysis that differ from the defaults: stored form and web form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from detector.schema.analysis import Parameters
from detector.schema.joint import JointRule
from language import formatting
from language.translation import N_, capitalize_first, gettext, translated
from webapp.errors import UserError


@dataclass(frozen=True)
class ParameterField:
    """One parameter of the form."""

    name: str
    label: str
    unit: str
    effect: str
    step: str

    @property
    def default(self) -> float:
        """The default value."""
        return float(Parameters.model_fields[self.name].default)

    @property
    def limits(self) -> tuple[float, float | None]:
        """Smallest and largest value the engine accepts; either may itself be excluded."""
        low, high = 0.0, None
        for limit in Parameters.model_fields[self.name].metadata:
            if isinstance(limit, Gt | Ge):
                low = float(limit.gt if isinstance(limit, Gt) else limit.ge)  # type: ignore[arg-type]
            elif isinstance(limit, Lt | Le):
                high = float(limit.lt if isinstance(limit, Lt) else limit.le)  # type: ignore[arg-type]
        return low, high


ALSO, JOINT = "also", "joint"
_OTHER_MODEL_KEYS = (ALSO, JOINT)


@dataclass(frozen=True)
class OtherModels:
    """The models that judge beside the primary one, and the rule of the joint verdict."""

    names: tuple[str, ...] = ()
    rule: JointRule = JointRule.FIRST


# Parameters a person can choose sensibly; the others were measured together and belong together.
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
        N_("Lower flags more, including more false alarms."),
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
        N_("Smaller includes more faces, but the model was not measured on such small ones."),
        "any",
    ),
)


def dump_parameters(changes: Mapping[str, Any]) -> str | None:
    """Serialize the parameters that differ from the defaults, for a row; None if none does.

    Raises ``pydantic.ValidationError`` for an unknown parameter or an invalid value.
    """
    others = {name: changes[name] for name in _OTHER_MODEL_KEYS if changes.get(name)}
    own = {name: value for name, value in changes.items() if name not in _OTHER_MODEL_KEYS}
    different = Parameters.model_validate(own).model_dump(exclude_defaults=True) | others
    return json.dumps(different, sort_keys=True) if different else None


def read_parameters(text: str | None) -> Parameters:
    """Parse the parameters of a row."""
    stored = json.loads(text or "{}")
    return Parameters.model_validate(
        {name: value for name, value in stored.items() if name not in _OTHER_MODEL_KEYS}
    )


def read_other_models(text: str | None) -> OtherModels:
    """Parse the other models a row asks for."""
    stored = json.loads(text or "{}")
    return OtherModels(tuple(stored.get(ALSO, ())), JointRule(stored.get(JOINT, JointRule.FIRST)))


def sound_from_form(form: Mapping[str, str]) -> dict[str, bool]:
    """Parse whether sound is to be examined; a form without the field leaves it to the setting."""
    return {"sound": form["sound"] == "yes"} if form.get("sound") in ("yes", "no") else {}


def parameters_from_form(form: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Parse a form into changed parameters and problems by field. An empty field means the default."""
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
        if chosen.exit_threshold > chosen.enter_threshold:  # no other pair with fields can cross
            problems["exit_threshold"] = gettext(
                "This must not be above the score that opens a segment, %(score)s.",
                score=formatting.number(chosen.enter_threshold),
            )
    return changes, problems


def describe_parameters(text: str | None) -> list[tuple[str, str]]:
    """List the changed parameters of a row as names and values to show."""
    changed = read_parameters(text).model_dump(exclude_defaults=True)
    known = {field.name: field for field in FIELDS}
    others = read_other_models(text).names
    rows = [(gettext("Other models"), ", ".join(others))] if others else []
    return rows + [
        (gettext(known[name].label), f"{formatting.number(value)} {gettext(known[name].unit)}")
        if name in known
        else (capitalize_first(translated(name.replace("_", " "))), formatting.number(value))
        for name, value in changed.items()
    ]


def parameters_error(problems: Mapping[str, str]) -> UserError:
    """The error for a program that sent invalid parameters."""
    labels = {field.name: field.label for field in FIELDS}
    lines = (f"{gettext(labels[name])}: {problem}" for name, problem in problems.items())
    return UserError(400, " ".join(lines), gettext("Correct that, then start the analysis again."))


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

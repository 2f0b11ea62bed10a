"""How to run an analysis again: environment, command, and what to compare."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from itertools import pairwise

from detector.environment import protect_leading_hyphen
from detector.environment import repeat_command as command_of
from detector.models.model_files import DEFAULT_MODEL
from detector.schema.analysis import Analysis, Model, Parameters
from detector.schema.model import SecondLookModel
from detector.verdict.reproducibility.agreement import TOLERANCE
from reports.language.formatting import in_utc
from reports.language.translation import UNTRANSLATED, gettext
from reports.wording.sections import Fact

DEFAULT_WEIGHTS = "956ceb526989e9e3791c3118cb81d7e5fe4f26c1b1752faede469ba21ed30480"
"""SHA-256 of the weights that the default model's name stands for in this version.

Not read from their card: a page must come out the same wherever the same version renders it.
"""
EARLIER_DEFAULTS = {"6398f14193caf6ca2eb7d512d66d3fa31cf980ca7f84af3c6a22d36fd34aa920": "reelproof-2"}
"""By their SHA-256, what weights are called now that had the default's name before."""


@dataclass(frozen=True)
class ReproductionView:
    """``command`` runs the analysis again; ``comparison`` also says whether the findings agree.

    ``tolerance`` is within what two analyses of one exhibit count as the same.
    """

    computed_with: tuple[Fact, ...]
    command: str = field(metadata=UNTRANSLATED)
    comparison: str = field(metadata=UNTRANSLATED)
    tolerance: str


def reproduction_view(analysis: Analysis) -> ReproductionView:
    """How to repeat this analysis."""
    return ReproductionView(
        computed_with=_computed_with(analysis),
        command=_command(analysis),
        comparison=_comparison(analysis),
        tolerance=str(TOLERANCE),
    )


def _computed_with(analysis: Analysis) -> tuple[Fact, ...]:
    """Versions, source, machine and settings of the arithmetic; what an older analysis lacks is left out."""
    used = analysis.software
    known = (
        Fact(gettext("Reelproof"), used.reelproof),
        Fact(gettext("Commit of the source"), used.commit or "", exact=True),
        *decided_by(analysis),
        Fact(gettext("Torch"), used.torch),
        Fact(gettext("Computed on"), used.device),
        Fact(
            gettext("Processor"),
            used.processor or "",
            gettext("instructions %(instructions)s", instructions=used.instructions)
            if used.instructions
            else "",
        ),
        Fact(gettext("Network run by"), used.backend or ""),
        Fact(gettext("Precision"), used.precision or ""),
        Fact(gettext("Threads"), str(used.threads or "")),
        Fact(gettext("Crops at once"), str(used.batch or "")),
        Fact(gettext("Seed of random areas"), str(analysis.parameters.seed)),
        Fact(gettext("System"), used.system or ""),
        Fact(gettext("Python"), used.python or ""),
        Fact(gettext("Libraries"), ", ".join(f"{each.name} {each.version}" for each in used.libraries)),
        Fact(gettext("Analysis finished"), in_utc(used.created)[0]),
        Fact(
            gettext("Form of analysis.json"),
            gettext("version %(schema_version)s", schema_version=analysis.schema_version),
        ),
    )
    return tuple(fact for fact in known if fact.value)


def decided_by(analysis: Analysis) -> tuple[Fact, ...]:
    """By SHA-256, what findings rest on beside exhibit and parameters; what an analysis lacks is left out."""
    used = analysis.software
    known = (
        Fact(gettext("SHA-256 of the engine's source"), used.source_sha256 or "", exact=True),
        Fact(gettext("SHA-256 of the weights"), analysis.model.sha256, analysis.model.name, exact=True),
        *_second_look(analysis.model.second_look),
        Fact(
            gettext("SHA-256 of the network that proposes faces"),
            used.face_proposals_sha256 or "",
            exact=True,
        ),
        Fact(
            gettext("SHA-256 of the network that tells covered faces"),
            used.covered_faces_sha256 or "",
            exact=True,
        ),
    )
    return tuple(fact for fact in known if fact.value)


def _second_look(used: SecondLookModel | None) -> tuple[Fact, ...]:
    if used is None:
        return ()
    return (
        Fact(gettext("SHA-256 of the second look’s weights"), used.sha256, used.name, exact=True),
        Fact(
            gettext("SHA-256 of the second look’s fusion and calibration"),
            used.card_sha256 or "",
            exact=True,
        ),
    )


def _command(analysis: Analysis) -> str:
    """The command that runs this analysis again by this version, in the folder of the exhibit.

    That of an older one leaves out what was a default then, or had no name yet, and may name a model by a
    name that others have now.
    """
    media, models = analysis.media, [analysis.model, *(other.model for other in analysis.others)]
    recorded = analysis.software.command or command_of(media.file, analysis.model.name, analysis.parameters)
    try:
        words = shlex.split(recorded)
    except ValueError:  # nothing that the engine wrote
        return recorded
    given = {word.partition("=")[0] for before, word in pairwise(words) if before == "--set"}
    for name, known in Parameters.model_fields.items():
        value = getattr(analysis.parameters, name)
        if name not in given and value != known.default:
            words += ["--set", f"{name}={value!r}"]
    named = [
        number for number, word in enumerate(words) if word in ("--model", "--also") and words[number + 1 :]
    ]
    for number, model in zip(named, models, strict=False):
        if words[number + 1] == model.name:
            words[number + 1] = _name_now(model)
    return shlex.join(words)


def _name_now(model: Model) -> str:
    """What a model is called today: one with the default's name may have had other weights."""
    if model.name != DEFAULT_MODEL or model.sha256 == DEFAULT_WEIGHTS:
        return model.name
    return EARLIER_DEFAULTS.get(model.sha256, f"{model.name}.safetensors")


def _comparison(analysis: Analysis) -> str:
    """The command that runs it again with all its settings and says whether the findings agree."""
    name = protect_leading_hyphen(analysis.media.file)
    return shlex.join(["python", "-m", "reports", "verify", "report.pdf", "--reanalyse", name])

"""How to run an analysis again: environment, command, and what to compare."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from itertools import pairwise

from detector.environment import protect_leading_hyphen
from detector.environment import repeat_command as command_of
from detector.models.model_files import DEFAULT_MODEL, RETIRED_MODELS
from detector.schema import tolerance
from detector.schema.analysis import Analysis, Parameters
from language.formatting import in_utc
from language.translation import UNTRANSLATED, gettext
from reports.wording.sections import Fact

# SHA-256 of the default model's weights in this version. It is not read from the model's card because the
# same version must render the same page everywhere.
DEFAULT_WEIGHTS = "956ceb526989e9e3791c3118cb81d7e5fe4f26c1b1752faede469ba21ed30480"


@dataclass(frozen=True)
class ReproductionView:
    """Commands that repeat the analysis and that also compare the findings, within ``tolerance``."""

    computed_with: tuple[Fact, ...]
    command: str = field(metadata=UNTRANSLATED)
    comparison: str = field(metadata=UNTRANSLATED)
    tolerance: str


def reproduction_view(analysis: Analysis) -> ReproductionView:
    """Describe how to repeat this analysis; facts that an older analysis lacks are omitted."""
    used = analysis.software
    facts = (
        Fact(gettext("Reelproof"), used.reelproof),
        Fact(gettext("Commit of the source"), used.commit or "", exact=True),
        *decided_by(analysis),
        Fact(gettext("Torch"), used.torch),
        Fact(gettext("Device"), used.device),
        Fact(
            gettext("Processor"),
            used.processor or "",
            gettext("instructions %(instructions)s", instructions=used.instructions)
            if used.instructions
            else "",
        ),
        Fact(gettext("Inference engine"), used.backend or ""),
        Fact(gettext("Precision"), used.precision or ""),
        Fact(gettext("Threads"), str(used.threads or "")),
        Fact(gettext("Crops per batch"), str(used.batch or "")),
        Fact(gettext("Seed of the random areas"), str(analysis.parameters.seed)),
        Fact(gettext("System"), used.system or ""),
        Fact(gettext("Python"), used.python or ""),
        Fact(
            gettext("Libraries"), ", ".join(f"{library.name} {library.version}" for library in used.libraries)
        ),
        Fact(gettext("Analysis finished"), in_utc(used.created)[0]),
        Fact(
            gettext("Format of analysis.json"),
            gettext("version %(schema_version)s", schema_version=analysis.schema_version),
        ),
    )
    return ReproductionView(
        computed_with=tuple(fact for fact in facts if fact.value),
        command=_command(analysis),
        comparison=shlex.join(
            [
                "python",
                "-m",
                "reports",
                "verify",
                "report.pdf",
                "--reanalyse",
                protect_leading_hyphen(analysis.media.file),
            ]
        ),
        tolerance=tolerance.stated(),
    )


def decided_by(analysis: Analysis) -> tuple[Fact, ...]:
    """List the SHA-256 of everything else that the findings depend on, as far as the analysis records it."""
    used, second = analysis.software, analysis.model.second_look
    second_look = (
        (
            Fact(gettext("SHA-256 of the second look’s weights"), second.sha256, second.name, exact=True),
            Fact(
                gettext("SHA-256 of the second look’s fusion and calibration"),
                second.card_sha256 or "",
                exact=True,
            ),
        )
        if second is not None
        else ()
    )
    facts = (
        Fact(gettext("SHA-256 of the engine's source"), used.source_sha256 or "", exact=True),
        Fact(gettext("SHA-256 of the weights"), analysis.model.sha256, analysis.model.name, exact=True),
        *second_look,
        *(
            [Fact(gettext("SHA-256 of the network for voices"), analysis.voice.model.sha256, exact=True)]
            if analysis.voice
            else []
        ),
        Fact(
            gettext("SHA-256 of the network that proposes faces"),
            used.face_proposals_sha256 or "",
            exact=True,
        ),
        Fact(
            gettext("SHA-256 of the network that detects covered faces"),
            used.covered_faces_sha256 or "",
            exact=True,
        ),
    )
    return tuple(fact for fact in facts if fact.value)


def _command(analysis: Analysis) -> str:
    """Return the command that repeats this analysis with this version, in the folder of the exhibit.

    The command recorded by an older version omits parameters that had other defaults, and may use a model
    name that now stands for other weights; both are corrected.
    """
    media, models = analysis.media, [analysis.model, *(other.model for other in analysis.others)]
    command = analysis.software.command or command_of(media.file, analysis.model.name, analysis.parameters)
    try:
        words = shlex.split(command)
    except ValueError:  # not written by the engine
        return command
    set_names = {word.partition("=")[0] for before, word in pairwise(words) if before == "--set"}
    for name, info in Parameters.model_fields.items():
        value = getattr(analysis.parameters, name)
        if name not in set_names and value != info.default:
            words += ["--set", f"{name}={value!r}"]
    options = [place for place, word in enumerate(words[:-1]) if word in ("--model", "--also")]
    for place, model in zip(options, models, strict=False):
        is_renamed = model.name == DEFAULT_MODEL and model.sha256 != DEFAULT_WEIGHTS
        if words[place + 1] == model.name and is_renamed:
            words[place + 1] = RETIRED_MODELS.get(model.sha256, f"{model.name}.safetensors")
    return shlex.join(words)

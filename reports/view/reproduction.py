"""How to run an analysis again: with what it was computed, the command, and what to compare."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from detector.environment import command as command_of
from detector.schema.analysis import Analysis
from detector.schema.method.parameters import LACKING
from detector.schema.model import SecondLookModel
from detector.verdict.reproducibility import TOLERANCE
from reports.text.dates import in_utc
from reports.text.language import UNTRANSLATED, gettext
from reports.view.facts import Fact


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
        Fact(gettext("SHA-256 of the engine's source"), used.source_sha256 or "", exact=True),
        Fact(gettext("SHA-256 of the weights"), analysis.model.sha256, analysis.model.name, exact=True),
        *_second_look(analysis.model.second_look),
        Fact(
            gettext("SHA-256 of the network that proposes faces"),
            used.face_proposals_sha256 or "",
            exact=True,
        ),
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
    """The command that runs this analysis again, in the folder of the exhibit."""
    command = analysis.software.command
    if not command:
        return command_of(analysis.media.file, analysis.model.name, analysis.parameters)
    # An older one does not name what is new since, and would be run with this version's.
    lacking = [name for name, versions in LACKING.items() if analysis.schema_version in versions]
    return " ".join([command, *(f"--set {name}=0" for name in lacking)])


def _comparison(analysis: Analysis) -> str:
    """The command that runs it again with all its settings and says whether the findings agree."""
    return shlex.join(["python", "-m", "reports", "verify", "report.pdf", "--reanalyse", analysis.media.file])

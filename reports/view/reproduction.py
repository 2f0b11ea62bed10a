"""How to run an analysis again: with what it was computed, the command, and what to compare."""

from __future__ import annotations

import shlex

from detector.environment import command as command_of
from detector.schema.analysis import Analysis
from detector.schema.parameters import LACKING
from detector.verdict.reproducibility import TOLERANCE
from reports.text.dates import in_utc
from reports.view.facts import Fact


def computed_with(analysis: Analysis) -> tuple[Fact, ...]:
    """Versions, source, machine and settings of the arithmetic; what an older analysis lacks is left out."""
    used = analysis.software
    known = (
        Fact("Reelproof", used.reelproof),
        Fact("Commit of the source", used.commit or "", exact=True),
        Fact("SHA-256 of the engine's source", used.source_sha256 or "", exact=True),
        Fact("SHA-256 of the weights", analysis.model.sha256, analysis.model.name, exact=True),
        Fact("Torch", used.torch),
        Fact("Computed on", used.device),
        Fact(
            "Processor",
            used.processor or "",
            f"instructions {used.instructions}" if used.instructions else "",
        ),
        Fact("Network run by", used.backend or ""),
        Fact("Precision", used.precision or ""),
        Fact("Threads", str(used.threads or "")),
        Fact("Crops at once", str(used.batch or "")),
        Fact("Seed of random areas", str(analysis.parameters.seed)),
        Fact("System", used.system or ""),
        Fact("Python", used.python or ""),
        Fact("Libraries", ", ".join(f"{each.name} {each.version}" for each in used.libraries)),
        Fact("Analysis finished", in_utc(used.created)[0]),
        Fact("Form of analysis.json", f"version {analysis.schema_version}"),
    )
    return tuple(fact for fact in known if fact.value)


def command(analysis: Analysis) -> str:
    """The command that runs this analysis again, in the folder of the exhibit."""
    # An older one does not name what is new since, and would be run with this version's.
    lacking = any(analysis.schema_version in versions for versions in LACKING.values())
    if analysis.software.command and not lacking:
        return analysis.software.command
    return command_of(analysis.media.file, analysis.model.name, analysis.parameters)


def comparison(analysis: Analysis) -> str:
    """The command that runs it again with all its settings and says whether the findings agree."""
    return shlex.join(["python", "-m", "reports", "verify", "report.pdf", "--reanalyse", analysis.media.file])


def tolerance() -> str:
    """Within what two analyses of one exhibit count as the same."""
    return str(TOLERANCE)

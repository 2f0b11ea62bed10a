"""How to run an analysis again: with what it was computed, the command, and what to compare."""

from __future__ import annotations

import shlex

from detector.analysis import Analysis, Parameters
from reports.facts import Fact
from reports.moments import in_utc

# Fields of `software` that have a line of their own, and its name; the others go by their own names.
_NAMED = {"reelproof": "Reelproof", "torch": "Torch", "device": "Computed on", "created": ""}


def computed_with(analysis: Analysis) -> tuple[Fact, ...]:
    """Versions, device, seed and whatever else the analysis records of what computed it."""
    found = []
    for field in type(analysis.software).model_fields:
        value = getattr(analysis.software, field)
        name = _NAMED.get(field, field.replace("_", " ").capitalize())
        if name and isinstance(value, str | int | float) and value != "":
            found.append(Fact(name, str(value), exact=field == "commit"))
    return (
        *found,
        Fact("Seed of random areas", str(analysis.parameters.seed)),
        Fact("Analysis finished", in_utc(analysis.software.created)[0]),
        Fact("Form of analysis.json", f"version {analysis.schema_version}"),
    )


def command(analysis: Analysis) -> str:
    """The command that runs this analysis again; empty where a setting changed that no shell takes."""
    given = {
        name
        for name, field in Parameters.model_fields.items()
        if getattr(analysis.parameters, name) != field.default
    }
    if given - {"sample_rate"}:
        return ""
    words = ["python", "-m", "detector", "analyze", analysis.media.file, "--model", analysis.model.name]
    if given:
        words += ["--sample-rate", f"{analysis.parameters.sample_rate:g}"]
    return shlex.join([*words, "--out", "again"])

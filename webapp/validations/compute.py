"""Compute a validation in a process of its own.

So that the web process loads neither SciPy nor WeasyPrint.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from detector.batch.results_file import ResultLine
from detector.errors import ReelproofError
from detector.process.signals import end_with_named_parent
from detector.sandbox import AllowedPaths, Limits, capabilities, confine
from detector.schema.analysis import Analysis, Parameters, Software
from detector.schema.formatting import N_
from detector.validation.conclude import concluded, remarks_on
from detector.validation.material import LabelledFile, MaterialError, labelled_rows, material_of
from detector.validation.measuring import Measurements, Run, line_of_finished
from detector.validation.rates import quoted
from detector.validation.validated_model import validated_model, why_not_the_same
from reports.file_names import LABORATORY
from reports.signing.validation_files import write_validation

_NONE = N_("%(name)s is no exhibit here.")
_SEVERAL = N_("%(name)s is the name of several exhibits: write their SHA-256.")
_NOT_THE_SAME = N_("%(name)s: %(why)s. Analyse it as the others are, with the default model.")
_NOTHING_DONE = N_("No labelled exhibit has a finished analysis.")


def main(out: Path) -> int:
    """Work out one validation."""
    end_with_named_parent()
    os.nice(5)  # as the worker is: pages stay quick
    given: dict[str, Any] = json.load(sys.stdin)
    card = Path(given["card"])
    folders = [Path(each["folder"]) for each in given["analyses"] if "folder" in each]
    places = AllowedPaths(readable=(card.parent, *folders), writable=(out,))
    confine(Limits(), places, out, network=capabilities().network)
    try:
        _write(given, card, out)
    except ReelproofError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


@dataclass
class _Labelled:
    """The rows of the table with the analyses they label, all made with one model and the same parameters."""

    remarks: list[str]
    files: list[LabelledFile]
    lines: dict[str, ResultLine]  # by the path of each file
    made_with: list[Software]
    parameters: Parameters | None = None


def _write(given: dict[str, Any], card: Path, out: Path) -> None:
    labelled = _labelled(given, card)
    made_with = labelled.made_with
    material = material_of(given["title"], labelled.files, [*labelled.remarks, *remarks_on(made_with)])
    if labelled.parameters is None:
        raise MaterialError(_NOTHING_DONE)
    model = validated_model(card, labelled.parameters)
    nothing: dict[str, ResultLine] = {}
    validation = concluded(
        material,
        Measurements(labelled.lines, nothing, nothing, None),
        Run(given["model"], labelled.parameters),
        model,
        title=given["title"],
        laboratory=given["laboratory"] or None,
        made_with=made_with,
    )
    text = validation.to_json().encode()
    extract = quoted(validation, text).to_json().encode()
    write_validation(validation, out, laboratory=extract, language_code=given["language"])
    assert (out / LABORATORY).is_file()


def _labelled(given: dict[str, Any], card: Path) -> _Labelled:
    """Find the analysis of each row of the table; :class:`MaterialError` where there is not just one."""
    by_sha256 = {each["sha256"]: each for each in given["analyses"]}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for each in given["analyses"]:
        by_name.setdefault(each["name"], []).append(each)
    labelled = _Labelled([], [], {}, [])
    for row in labelled_rows(given["table"], "The table", labelled.remarks, empty_labels=True):
        found = [by_sha256[row.name]] if row.name in by_sha256 else by_name.get(row.name, [])
        if len(found) != 1:
            why = _SEVERAL if found else _NONE
            raise MaterialError(why % {"name": row.name})
        (each,) = found
        known = {"name": each["name"], "bytes": each["bytes"], "sha256": each["sha256"]}
        if "error" in each:
            path = Path(each["sha256"])  # it has no folder
            labelled.files.append(replace(row, path=path, **known))
            labelled.lines[str(path)] = {"error": each["error"]}
            continue
        path = Path(each["folder"])
        analysis = Analysis.from_json((path / "analysis.json").read_bytes())
        if labelled.parameters is None:
            labelled.parameters = analysis.parameters
            model = validated_model(card, analysis.parameters)
        if why := why_not_the_same(model, labelled.parameters, analysis):
            raise MaterialError(_NOT_THE_SAME % {"name": row.name, "why": why})
        labelled.files.append(replace(row, path=path, **known))
        labelled.lines[str(path)] = line_of_finished(analysis)
        labelled.made_with.append(analysis.software)
    return labelled


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Works out a validation of analyses that are done. A process of its own: pages load no SciPy, no WeasyPrint.

``python -m webapp.services.validation_process OUT`` writes the files of a validation into the folder ``OUT``.
On standard input, as JSON: title, laboratory, the language of the report, the path of the model's card, the
table of labels as CSV, and of each analysis its exhibit's name, SHA-256 and size, and the folder of its
result. What is wrong with the labels is told on standard error, with the exit status 2.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from detector.errors import ReelproofError
from detector.sandbox import AllowedPaths, Limits, capabilities, confine
from detector.sandbox.kernel import end_with
from detector.schema.analysis import Analysis, Software
from detector.validation.conclude import concluded
from detector.validation.material import LabelledFile, MaterialError, labelled_rows, material_of
from detector.validation.measuring import Line, Measurements, Run, line_of
from detector.validation.model_used import validated_model, why_not_the_same
from detector.validation.quoted import LABORATORY, quoted
from detector.validation.versions import remarks_on
from reports.signing.validation import write_validation


def main(out: Path) -> int:
    """Work out one validation."""
    end_with(os.getppid())
    os.nice(5)  # as the worker is: pages stay quick
    given: dict[str, Any] = json.load(sys.stdin)
    card = Path(given["card"])
    folders = [Path(each["folder"]) for each in given["analyses"]]
    places = AllowedPaths(readable=(card.parent, *folders), writable=(out,))
    confine(Limits(), places, out, network=capabilities().network)
    try:
        _write(given, card, out)
    except ReelproofError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


def _write(given: dict[str, Any], card: Path, out: Path) -> None:
    model = validated_model(card)
    remarks: list[str] = []
    known = {each["sha256"]: each for each in given["analyses"]}
    named: dict[str, list[dict[str, Any]]] = {}
    for each in given["analyses"]:
        named.setdefault(each["name"], []).append(each)
    files: list[LabelledFile] = []
    lines: dict[str, Line] = {}
    made_with: list[Software] = []
    used: Analysis | None = None
    for row in labelled_rows(given["table"], "The table", remarks, empty_labels=True):
        found = [known[row.name]] if row.name in known else named.get(row.name, [])
        if len(found) != 1:
            what = "is the name of several exhibits: write their SHA-256" if found else "is no exhibit here"
            raise MaterialError(f"{row.name} {what}.")
        analysis = Analysis.from_json(Path(found[0]["folder"], "analysis.json").read_bytes())
        if why := why_not_the_same(model, (used or analysis).parameters, analysis):
            raise MaterialError(f"{row.name}: {why}. Analyse it as the others are, with the default model.")
        used = used or analysis
        each = found[0]
        path = Path(each["folder"])
        group = each["name"] if row.group == row.name else row.group
        named_ = replace(row, name=each["name"], group=group, path=path)
        files.append(replace(named_, bytes=each["bytes"], sha256=each["sha256"]))
        lines[str(path)] = line_of(analysis)
        made_with.append(analysis.software)
    material = material_of(given["title"], files, [*remarks, *remarks_on(made_with)])
    assert used is not None  # there are files of both labels
    run = Run(given["model"], used.parameters)
    nothing: dict[str, Line] = {}
    validation = concluded(
        material,
        Measurements(lines, nothing, nothing, None),
        run,
        model,
        title=given["title"],
        laboratory=given["laboratory"] or None,
        made_with=made_with,
    )
    text = validation.to_json().encode()
    extract = quoted(validation, text).to_json().encode()
    write_validation(validation, out, laboratory=extract, language_code=given["language"])
    assert (out / LABORATORY).is_file()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

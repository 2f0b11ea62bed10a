"""Compute a validation in a process of its own, so that the web process loads neither SciPy nor WeasyPrint.

``python -m webapp.validations.compute OUT`` writes the files of a validation to the folder OUT. It reads JSON
from standard input: title, laboratory, language of the report, path of the model's card, the table of labels
as CSV, and for each analysis the exhibit's name, SHA-256 and size, and the folder of its result. An error
in the labels goes to standard error as the JSON of a cause, with exit status 2.
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
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import cause_of
from detector.schema.formatting import N_
from detector.schema.laboratory import ValidatedVoiceModel
from detector.validation.conclude import build_validation, version_remarks
from detector.validation.material import (
    LabelledFile,
    MaterialError,
    labelled_rows,
    material_of,
    without_picture,
)
from detector.validation.measuring import Measurements, Run, line_of_finished
from detector.validation.rates import quoted_extract
from detector.validation.validated_model import (
    difference_to_parameters,
    difference_to_voice,
    validated_model,
    validated_voice_model,
)
from reports.file_names import LABORATORY
from reports.signing.validation_files import write_validation

_NO_EXHIBIT = N_("%(name)s is not an exhibit here.")
_SEVERAL_EXHIBITS = N_("%(name)s is the name of several exhibits: write their SHA-256.")
_NOT_COMPARABLE = N_("%(name)s: %(why)s. Analyse it as the others are, with the default model.")
_SOUND_NOT_EXAMINED = N_(
    "%(name)s: its sound was not examined. Analyse it with sound, or leave the column voice empty."
)
_NOTHING_FINISHED = N_("No labelled exhibit has a finished analysis.")


def main(out: Path) -> int:
    """Compute one validation and return the exit status."""
    end_with_named_parent()
    os.nice(5)  # like the worker, so that pages stay fast
    request: dict[str, Any] = json.load(sys.stdin)
    card = Path(request["card"])
    folders = [Path(item["folder"]) for item in request["analyses"] if "folder" in item]
    paths = AllowedPaths(readable=(card.parent, *folders), writable=(out,))
    confine(Limits(), paths, out, network=capabilities().network)
    try:
        _write(request, card, out)
    except ReelproofError as problem:
        print(cause_of(str(problem)).model_dump_json(), file=sys.stderr)
        return 2
    return 0


@dataclass
class _Labelled:
    """The rows of the table and their analyses, all made with one model and the same parameters."""

    remarks: list[Cause]
    files: list[LabelledFile]
    lines: dict[str, ResultLine]  # by path of the file
    software: list[Software]
    parameters: Parameters | None = None


def _write(request: dict[str, Any], card: Path, out: Path) -> None:
    voice_model = validated_voice_model()
    labelled = _find_analyses(request, card, voice_model)
    remarks = [*labelled.remarks, *version_remarks(labelled.software)]
    material = material_of(request["title"], labelled.files, remarks)
    if labelled.parameters is None:
        raise MaterialError(_NOTHING_FINISHED)
    validation = build_validation(
        material,
        Measurements(labelled.lines, {}, {}, None),
        Run(request["model"], labelled.parameters),
        validated_model(card, labelled.parameters),
        voice_model if material.has_voices else None,
        title=request["title"],
        laboratory=request["laboratory"] or None,
        made_with=labelled.software,
    )
    text = validation.to_json().encode()
    extract = quoted_extract(validation, text).to_json().encode()
    write_validation(validation, out, laboratory=extract, language_code=request["language"])
    assert (out / LABORATORY).is_file()


def _find_analyses(request: dict[str, Any], card: Path, voice_model: ValidatedVoiceModel) -> _Labelled:
    """Find the only analysis for each row of the table, or raise :class:`MaterialError`."""
    by_sha256 = {item["sha256"]: item for item in request["analyses"]}
    by_name: dict[str, list[dict[str, Any]]] = {}
    for item in request["analyses"]:
        by_name.setdefault(item["name"], []).append(item)
    labelled = _Labelled([], [], {}, [])
    of_faces: Parameters | None = None  # parameters of the first analysis with labelled faces
    for row in labelled_rows(request["table"], "The table", labelled.remarks, empty_labels=True):
        items = [by_sha256[row.name]] if row.name in by_sha256 else by_name.get(row.name, [])
        if len(items) != 1:
            raise MaterialError((_SEVERAL_EXHIBITS if items else _NO_EXHIBIT) % {"name": row.name})
        (item,) = items
        exhibit = {"name": item["name"], "bytes": item["bytes"], "sha256": item["sha256"]}
        if "error" in item:
            path = Path(item["sha256"])  # it has no folder
            labelled.files.append(replace(row, path=path, **exhibit))
            labelled.lines[str(path)] = {name: item[name] for name in ("error", "cause") if name in item}
            continue
        path = Path(item["folder"])
        analysis = Analysis.from_json((path / "analysis.json").read_bytes())
        if row.manipulated is not None:
            if analysis.media.sound_only:
                raise without_picture(row.name)
            if of_faces is None:
                of_faces = analysis.parameters
                model = validated_model(card, of_faces)
            if why := difference_to_parameters(model, of_faces, analysis):
                raise MaterialError(_NOT_COMPARABLE % {"name": row.name, "why": why})
        if row.voice is not None:
            if analysis.voice is None:
                raise MaterialError(_SOUND_NOT_EXAMINED % {"name": row.name})
            if why := difference_to_voice(voice_model, analysis.voice):
                raise MaterialError(_NOT_COMPARABLE % {"name": row.name, "why": why})
        labelled.parameters = of_faces or labelled.parameters or analysis.parameters
        labelled.files.append(replace(row, path=path, **exhibit))
        labelled.lines[str(path)] = line_of_finished(analysis)
        labelled.software.append(analysis.software)
    return labelled


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Annotations as JSON, and the file that a bundle's page or a server writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from detector.schema.formatting import N_, escape_directions
from detector.timestamps import iso_milliseconds
from reports.errors import ReportError, WrongFileError
from reports.file_names import ANNOTATIONS
from reports.review.annotations import ANNOTATION, Annotation, problem_sentence, sort_key
from reports.untrusted_input import is_crowded

VERSION = "1.0"
LARGEST_ANNOTATION_FILE = 10_000_000  # bytes of a file that is taken in, alone or in a bundle
_MARK = "reelproof_judgements"
_FIELDS = {
    "author": N_("The name of the reviewer"),
    "name": N_("The name"),
    "note": N_("The note"),
    "verdict": N_("The verdict"),
    "start": N_("The start"),
    "end": N_("The end"),
    "": N_("The annotation"),
}
_PROBLEMS = {
    "union_tag_invalid": N_("This kind of annotation is unknown."),
    "union_tag_not_found": N_("This kind of annotation is unknown."),
    "extra_forbidden": N_("%(what)s is not a field of this kind of annotation."),
}


class AnnotationFileError(ReportError):
    """An annotation file, or one annotation, cannot be used."""


class NoAnnotationFileError(AnnotationFileError, WrongFileError):
    """The file is not an annotation file."""


@dataclass(frozen=True)
class SavedAnnotations:
    """Content of an annotation file with a verified checksum; ``annotations`` are sorted by time."""

    analysis: str
    analysis_sha256: str
    exhibit_sha256: str
    annotations: tuple[Annotation, ...]


def to_json(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as JSON values: times to the millisecond, without empty fields."""
    values = annotation.model_dump(mode="json", exclude_none=True)
    values["made"] = iso_milliseconds(annotation.made)
    return {name: _rounded(value) if isinstance(value, float) else value for name, value in values.items()}


def parse(values: object) -> Annotation:
    """Parse an annotation from JSON values, with times to the millisecond.

    Raise :class:`AnnotationFileError` that states the problem in a sentence.
    """
    try:
        return ANNOTATION.validate_python(to_json(ANNOTATION.validate_python(values)))
    except ValidationError as error:
        raise AnnotationFileError(problem_sentence(error, _FIELDS, _PROBLEMS)) from None
    except OverflowError:  # a zone that leads beyond the calendar
        raise AnnotationFileError(N_("Its date lies outside the calendar.")) from None


def canonical(value: object) -> str:
    """Return JSON with sorted keys and no spaces, identical to what the bundle's page writes.

    Python and JavaScript print numbers alike from 0.0001 to 10 ** 21, once whole ones lose their ``.0``.
    """
    return json.dumps(_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def checksum(annotations: list[dict[str, Any]]) -> str:
    """Return the SHA-256 of the canonical text of annotations given as JSON values."""
    return hashlib.sha256(canonical(annotations).encode()).hexdigest()


def file_text(
    annotations: Iterable[Annotation],
    *,
    analysis: str,
    analysis_sha256: str,
    exhibit_sha256: str,
    saved: datetime,
) -> str:
    """Return the text of an annotation file."""
    values = [to_json(annotation) for annotation in sorted(annotations, key=sort_key)]
    document = {
        _MARK: VERSION,
        "analysis": analysis,
        "analysis_sha256": analysis_sha256,
        "exhibit_sha256": exhibit_sha256,
        "saved": iso_milliseconds(saved),
        "annotations": values,
        "sha256": checksum(values),
    }
    return escape_directions(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def read_file(data: bytes) -> SavedAnnotations:
    """Parse an annotation file; raise :class:`AnnotationFileError` with the reason if it is invalid."""
    try:
        document = (
            None if is_crowded(data) else json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
        )
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or _MARK not in document:
        raise NoAnnotationFileError(N_("This is not an annotation file saved by the page of a bundle."))
    if str(document[_MARK]).partition(".")[0] != VERSION.partition(".")[0]:
        raise AnnotationFileError(
            N_(
                "This file was saved by a newer version of Reelproof. Update Reelproof, then import the "
                "file again."
            )
        )
    values = document.get("annotations")
    about: dict[str, Any] = {
        name: document.get(name) for name in ("analysis", "analysis_sha256", "exhibit_sha256")
    }
    if not isinstance(values, list) or not all(isinstance(text, str) for text in about.values()):
        raise AnnotationFileError(
            N_("The annotation file is incomplete. Save it again from the page of the bundle.")
        )
    try:
        sum_now = checksum(values)
    except (ValueError, RecursionError):  # characters that stand for nothing
        sum_now = ""
    if sum_now != document.get("sha256"):
        raise AnnotationFileError(N_("The file was changed after it was saved, so none of it was imported."))
    return SavedAnnotations(**about, annotations=_parse_all(values))


def annotations_of(text: bytes | None, analysis: bytes) -> tuple[Annotation, ...]:
    """Return the annotations in a file, if any, of the ``analysis`` with this text.

    Raise :class:`AnnotationFileError` if the file was changed or is about another analysis.
    """
    if text is None:
        return ()
    try:
        if len(text) > LARGEST_ANNOTATION_FILE:
            raise AnnotationFileError("It is too large for annotations.")
        saved = read_file(text)
        if saved.analysis_sha256 != hashlib.sha256(analysis).hexdigest():
            raise AnnotationFileError("It is about another analysis.json.")
    except AnnotationFileError as problem:
        raise AnnotationFileError(f"{ANNOTATIONS} beside the analysis: {problem}") from None
    return saved.annotations


def _parse_all(json_values: list[Any]) -> tuple[Annotation, ...]:
    parsed: dict[str, Annotation] = {}
    for number, values in enumerate(json_values, 1):
        try:
            annotation = parse(values)
        except AnnotationFileError as problem:
            raise AnnotationFileError(
                N_("Annotation %(number)s of the file: %(problem)s") % {"number": number, "problem": problem}
            ) from None
        if annotation.id in parsed:
            raise AnnotationFileError(
                N_("The file contains annotation %(number)s twice.") % {"number": number}
            )
        parsed[annotation.id] = annotation
    return tuple(sorted(parsed.values(), key=sort_key))


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(element) for name, element in value.items()}
    if isinstance(value, list):
        return [_numbers(element) for element in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rounded(value: float) -> float:
    value = round(value, 3)
    return int(value) if value.is_integer() else value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")

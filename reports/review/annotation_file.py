"""Annotations as JSON, and the file that a bundle's page or a server writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from detector.schema.formatting import N_
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
    "union_tag_invalid": N_("This kind of annotation is not known."),
    "union_tag_not_found": N_("This kind of annotation is not known."),
    "extra_forbidden": N_("%(what)s is not a field of this kind of annotation."),
}


class AnnotationFileError(ReportError):
    """An annotation file, or one annotation, cannot be used; the message says why."""


class NoAnnotationFileError(AnnotationFileError, WrongFileError):
    """A file is none of annotations."""


@dataclass(frozen=True)
class SavedAnnotations:
    """The content of an annotation file, with its checksum verified; ``annotations`` in order of time."""

    analysis: str
    analysis_sha256: str
    exhibit_sha256: str
    annotations: tuple[Annotation, ...]


def to_json(annotation: Annotation) -> dict[str, Any]:
    """An annotation as JSON values: moments and seconds to the millisecond, nothing that is not said."""
    values = annotation.model_dump(mode="json", exclude_none=True)
    values["made"] = iso_milliseconds(annotation.made)
    return {name: _rounded(value) if isinstance(value, float) else value for name, value in values.items()}


def parse(values: object) -> Annotation:
    """An annotation out of JSON values, its times to the millisecond.

    Raises :class:`AnnotationFileError` that says in words what is wrong with it.
    """
    try:
        return ANNOTATION.validate_python(to_json(ANNOTATION.validate_python(values)))
    except ValidationError as error:
        raise AnnotationFileError(problem_sentence(error, _FIELDS, _PROBLEMS)) from None
    except OverflowError:  # a zone that leads beyond the calendar
        raise AnnotationFileError(N_("Its date lies outside the calendar.")) from None


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces, character by character what the bundle's page makes of it.

    The two print numbers alike from 0.0001 up to 10 ** 21, once whole ones lose their ``.0``.
    """
    return json.dumps(_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def checksum(annotations: list[dict[str, Any]]) -> str:
    """SHA-256 over the canonical text of annotations given as JSON values."""
    return hashlib.sha256(canonical(annotations).encode()).hexdigest()


def file_text(
    annotations: Iterable[Annotation],
    *,
    analysis: str,
    analysis_sha256: str,
    exhibit_sha256: str,
    saved: datetime,
) -> str:
    """The text of an annotation file."""
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
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_file(data: bytes) -> SavedAnnotations:
    """Parse an annotation file; raises :class:`AnnotationFileError` with the reason why not."""
    try:
        document = (
            None if is_crowded(data) else json.loads(data.decode("utf-8-sig"), parse_constant=_no_number)
        )
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or _MARK not in document:
        raise NoAnnotationFileError(N_("This is not an annotation file saved by a bundle's page."))
    if str(document[_MARK]).partition(".")[0] != VERSION.partition(".")[0]:
        raise AnnotationFileError(
            N_("A newer Reelproof saved this file. Update this one, then import it again.")
        )
    given = document.get("annotations")
    about: dict[str, Any] = {
        name: document.get(name) for name in ("analysis", "analysis_sha256", "exhibit_sha256")
    }
    if not isinstance(given, list) or not all(isinstance(text, str) for text in about.values()):
        raise AnnotationFileError(
            N_("The annotation file is not complete. Save it again from the bundle's page.")
        )
    try:
        sum_now = checksum(given)
    except (ValueError, RecursionError):  # characters that stand for nothing
        sum_now = ""
    if sum_now != document.get("sha256"):
        raise AnnotationFileError(
            N_("The file was changed after it was saved, so nothing of it is taken in.")
        )
    return SavedAnnotations(**about, annotations=_parse_all(given))


def annotations_of(text: bytes | None, analysis: bytes) -> tuple[Annotation, ...]:
    """What is said in an annotation file, if there is one, of the ``analysis`` with this text.

    Raises :class:`AnnotationFileError` for one that was changed or is about another analysis.
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


def _parse_all(given: list[Any]) -> tuple[Annotation, ...]:
    found: dict[str, Annotation] = {}
    for number, values in enumerate(given, 1):
        try:
            annotation = parse(values)
        except AnnotationFileError as problem:
            raise AnnotationFileError(
                N_("Annotation %(number)s of the file: %(problem)s") % {"number": number, "problem": problem}
            ) from None
        if annotation.id in found:
            raise AnnotationFileError(N_("Annotation %(number)s is in the file twice.") % {"number": number})
        found[annotation.id] = annotation
    return tuple(sorted(found.values(), key=sort_key))


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _rounded(value: float) -> float:
    value = round(value, 3)
    return int(value) if value.is_integer() else value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")

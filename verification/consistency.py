"""Consistency of the files of a result or bundle with one another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

from pydantic import ValidationError

from detector.environment import software_contradictions, source_sha256
from detector.schema.analysis import Analysis, Verdict
from detector.verdict.derived_fields import contradictions
from detector.verdict.derived_verdict import verdict_contradictions
from detector.verdict.finding import finding_of
from detector.voice.derived_fields import voice_contradictions
from reports.bundle.manifest import CustodyHead, Manifest
from reports.bundle.review_bundle import sums_of
from reports.custody.chain import check_export, export_notes
from reports.custody.format import ExportedLog, read_export
from reports.errors import first_problem
from reports.exports.tables import scores_csv
from reports.file_names import (
    ANALYSIS,
    ANNOTATIONS,
    CASE,
    CHECKSUMS,
    CUSTODY,
    MANIFEST_SIGNATURE,
    REPORT_HTML,
    SCORES,
    SECOND_REVIEW,
)
from reports.review.annotation_file import (
    LARGEST_ANNOTATION_FILE,
    AnnotationFileError,
    SavedAnnotations,
    read_file,
)
from reports.review.second_review import SecondReview, SecondReviewError, read_review
from verification import comparison_checks
from verification.against_log import Enclosed, check_against_log
from verification.checks import CheckResults, Source, read_checked

_MEDIA = "media/"
_PICTURES = "overlays/"
_EXHIBIT = "media/exhibit."  # the exhibit itself, where browsers play it
_PAGES = ("index.html", "README.txt")
_EDGE = 1e-6  # seconds: times are fractions stored as the nearest float


def check_consistency(source: Source, manifest: Manifest | None, results: CheckResults) -> Analysis | None:
    """Check the content of each file; return the analysis if it can be read."""

    @cache
    def read(name: str) -> bytes | None:
        return read_checked(source, name, results)

    text = read(ANALYSIS)
    analysis = check_analysis(ANALYSIS, text, results) if text is not None else None
    if analysis and manifest:
        _check_against_manifest(analysis, manifest, source, results)
    if manifest:
        _check_what_is_seen(manifest, results)
    check_beside(read, analysis, results, manifest=manifest, compared=comparison_checks.names_in(source))
    if manifest:
        _check_against_custody(read(CUSTODY), manifest, results)
        _check_case_and_sums(read(CASE), read(CHECKSUMS), manifest, results)
    page = read(REPORT_HTML)
    if page is not None and text is not None and hashlib.sha256(text).hexdigest().encode() not in page:
        results.add(REPORT_HTML, "does not fit", f"it was made of another {ANALYSIS}")
    return analysis


def _check_case_and_sums(
    case: bytes | None, sums: bytes | None, manifest: Manifest, results: CheckResults
) -> None:
    """Compare the case details and the sums with the manifest."""
    if (json.loads(case) if case and not results.wrong(CASE) else manifest.case) != manifest.case:
        results.add(CASE, "does not fit", "the manifest gives other details of the case")
    due = sums_of(entry for entry in manifest.files if entry.path != CHECKSUMS)
    if sums is not None and sums != due and not results.wrong(CHECKSUMS):
        results.add(CHECKSUMS, "does not fit", "its sums are not those of the manifest")


def check_beside(
    read: Callable[[str], bytes | None],
    analysis: Analysis | None,
    results: CheckResults,
    *,
    below: str = "",
    manifest: Manifest | None = None,
    compared: Iterable[str] = (),
) -> None:
    """Check the files beside an analysis in a bundle or result, or attached to a report that came alone.

    ``read`` returns a file by name, None if it is missing or unreadable; ``below`` precedes names in
    problems; ``compared`` are the names of the comparisons that the log must have.
    """
    text, annotations, custody = read(ANALYSIS), read(ANNOTATIONS), read(CUSTODY)
    annotation_set = annotations and check_annotations(f"{below}{ANNOTATIONS}", annotations, text, results)
    log = custody and check_custody(f"{below}{CUSTODY}", custody, analysis, results)
    if log and (annotation_set or annotations is None):
        texts = ((name, read(name)) for name in compared)
        enclosed = Enclosed(
            analysis,
            annotation_set or None,
            _readable_review(read(SECOND_REVIEW)),
            {name: comparison for name, comparison in texts if comparison is not None},
            manifest.analysis if manifest else None,
            manifest is not None and manifest.contents == "bundle",
            below,
            hashlib.sha256(text).hexdigest() if text is not None else None,
        )
        check_against_log(log, enclosed, results)


def check_analysis(file: str, text: bytes, results: CheckResults) -> Analysis | None:
    """Check an ``analysis.json`` against its schema and for contradictions; return None if it is invalid."""
    try:
        analysis = Analysis.from_json(text)
    except ValidationError as error:
        problem = first_problem(error, "its top level")
        results.add(file, "cannot be read", f"it is no analysis of Reelproof: {problem}")
        return None
    check_fields(file, analysis, results)
    return analysis


def check_fields(file: str, analysis: Analysis, results: CheckResults) -> None:
    """Check the fields of an analysis, read from ``file``, for contradictions."""
    persons = {person.id for person in analysis.persons}
    for kind, ids in (
        ("person", [person.id for person in analysis.persons]),
        ("segment", [segment.id for segment in analysis.segments]),
    ):
        if len(set(ids)) != len(ids):
            results.add(file, "does not fit", f"it names a {kind} twice")
    for segment in analysis.segments:
        inside = 0 <= segment.start <= segment.end <= analysis.media.duration + _EDGE
        if segment.person not in persons or not inside:
            results.add(file, "does not fit", f"segment {segment.id} is of no person, or outside the exhibit")
        if any(not segment.start - _EDGE <= peak.time <= segment.end + _EDGE for peak in segment.peaks):
            results.add(file, "does not fit", f"a peak of segment {segment.id} lies outside of it")
    for problem in _contradictions(analysis):
        results.add(file, "does not fit", problem)
    if not _verdict_fits(analysis):
        results.add(file, "does not fit", "its verdict and its segments contradict each other")


def _contradictions(analysis: Analysis) -> Iterator[str]:
    """Yield descriptions of fields that do not follow from others; of this version, by all of its rules."""
    this_version = _is_of_this_version(analysis)
    try:
        yield from contradictions(analysis, this_version)
        if this_version:
            yield from verdict_contradictions(analysis)
            yield from voice_contradictions(analysis)
            yield from software_contradictions(analysis)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        yield f"its fields contradict each other so much that they cannot be checked ({error})"


def _is_of_this_version(analysis: Analysis) -> bool:
    return analysis.software.source_sha256 == source_sha256()


def _verdict_fits(analysis: Analysis) -> bool:
    """Return whether the segments allow the first model's verdict by the rules of the engine.

    The verdict stays open if all segments belong to persons without a finding: views disagree, faces have no
    colour or are partly covered (all since 0.2).
    """
    if finding_of(analysis).flagged:
        return analysis.verdict is Verdict.MANIPULATED
    if analysis.segments:
        return analysis.verdict is Verdict.INCONCLUSIVE
    return analysis.verdict is not Verdict.MANIPULATED


def _check_against_manifest(
    analysis: Analysis, manifest: Manifest, source: Source, results: CheckResults
) -> None:
    media, model = analysis.media, analysis.model
    exhibit = manifest.exhibit
    if (media.file, media.bytes, media.sha256) != (exhibit.file, exhibit.bytes, exhibit.sha256):
        results.add(ANALYSIS, "does not fit", "the manifest is about another exhibit")
    if (model.name, model.sha256) != (manifest.model.name, manifest.model.sha256):
        results.add(ANALYSIS, "does not fit", "the manifest names another model")
    listener, stated = analysis.voice.model if analysis.voice else None, manifest.voice_model
    if stated and (listener is None or (listener.name, listener.sha256) != (stated.name, stated.sha256)):
        results.add(ANALYSIS, "does not fit", "the manifest names another network of voices")
    shown = {path: "of the photograph" for path in (analysis.picture, analysis.boxed) if path}
    if analysis.voice:
        shown |= dict.fromkeys(analysis.voice.pictures, "of the sound")
    for segment in analysis.every_segment:
        shown = dict.fromkeys(segment.pictures, f"of segment {segment.id}") | shown
    paths = {entry.path for entry in manifest.files}
    for path, of_what in shown.items():
        if path not in source.names and path not in paths:
            results.add(path, "missing", f"it is a picture {of_what}")
    if _is_of_this_version(analysis):
        for path in sorted(path for path in paths - shown.keys() if path.startswith(_PICTURES)):
            results.add(path, "does not fit", f"{ANALYSIS} names no such picture")


def _check_what_is_seen(manifest: Manifest, results: CheckResults) -> None:
    """Check that the media file is the exhibit; note what cannot be compared.

    :mod:`webapp.downloads` makes the page and the read-me of a bundle, so they cannot be rendered
    here.
    """
    exhibit = (manifest.exhibit.bytes, manifest.exhibit.sha256)
    for entry in manifest.files:
        if entry.path.startswith(_EXHIBIT) and (entry.bytes, entry.sha256) != exhibit:
            results.add(entry.path, "does not fit", "it is not the exhibit that was analysed")
        elif entry.path.startswith(_MEDIA) and (entry.bytes, entry.sha256) != exhibit:
            results.notes.append(
                f"{entry.path} is a preview, no evidence: it was not compared with the exhibit."
            )
    shown = [name for name in _PAGES if name in {entry.path for entry in manifest.files}]
    if shown and MANIFEST_SIGNATURE not in results.signed:
        results.notes.append(
            f"Not compared with {ANALYSIS}, and not signed: {', '.join(shown)}. A change of their words "
            f"may go unseen. What counts is {ANALYSIS}."
        )


def check_scores(
    file: str, attached: Mapping[str, bytes], analysis: Analysis | None, results: CheckResults
) -> None:
    """Compare the table of scores in the report ``file`` with ``analysis``, if it has the current columns."""
    table = attached.get(SCORES)
    if table is None or analysis is None:
        return
    due = scores_csv(analysis)
    if table == due:
        return
    if table.partition(b"\r\n")[0] == due.partition(b"\r\n")[0]:
        results.add(f"{file}/{SCORES}", "does not fit", f"its figures are not those of {ANALYSIS}")
    else:
        results.notes.append(
            f"{file}/{SCORES} has other columns than this version writes: it was not held against {ANALYSIS}."
        )


def check_annotations(
    file: str, data: bytes, analysis: bytes | None, results: CheckResults
) -> SavedAnnotations | None:
    """Check checksum and analysis of an annotation file; return None if it is invalid."""
    if len(data) > LARGEST_ANNOTATION_FILE:
        results.add(file, "cannot be read", "it is too large for annotations")
        return None
    try:
        saved = read_file(data)
    except AnnotationFileError as error:
        results.add(file, "changed", str(error))
        return None
    if analysis is not None and saved.analysis_sha256 != hashlib.sha256(analysis).hexdigest():
        results.add(file, "does not fit", f"it is about another {ANALYSIS}")
    return saved


def _readable_review(text: bytes | None) -> SecondReview | None:
    """Parse the second review; return None if it is invalid, since the report that prints it does not fit."""
    try:
        return None if text is None else read_review(text)
    except SecondReviewError:
        return None


def check_custody(
    file: str, data: bytes, analysis: Analysis | None, results: CheckResults
) -> ExportedLog | None:
    """Check chain and exhibit of an exported custody log; return None if it does not fit."""
    log = unbroken_log(file, data, results)
    if log is None:
        return None
    results.notes.extend(f"{file}: {note}" for note in export_notes(log))
    if analysis is not None and log.exhibit not in (None, analysis.media.sha256):
        results.add(file, "does not fit", "it is about another exhibit")
        return None
    return log


def unbroken_log(file: str, data: bytes, results: CheckResults) -> ExportedLog | None:
    """Return an exported custody log with an intact chain; None if it is broken."""
    for problem in check_export(data):
        results.add(file, "changed", problem)
    return None if results.wrong(file) else read_export(data)


def _check_against_custody(custody: bytes | None, manifest: Manifest, results: CheckResults) -> None:
    if custody is None:
        if manifest.custody is not None and not results.wrong(CUSTODY):
            results.add(CUSTODY, "missing", "the manifest gives the head of the custody log")
        return
    try:
        head = CustodyHead.model_validate_json(custody)
    except ValidationError:
        return  # said already
    if head != manifest.custody:
        results.add(CUSTODY, "does not fit", "the manifest gives another head of the custody log")

"""Statements of the files against the entries of the custody log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from detector import timestamps
from detector.schema.analysis import SCHEMA_VERSION, Analysis
from detector.schema.summary import summarise
from detector.timestamps import iso_milliseconds
from reports.comparison.kept import FOLDER, RESULT
from reports.custody.format import Entry, ExportedLog
from reports.file_names import ANALYSIS, ANNOTATIONS, CUSTODY, SECOND_REVIEW
from reports.review.annotation_file import SavedAnnotations, checksum, to_json
from reports.review.annotations import CLOCK_SKEW
from reports.review.second_review import SecondReview, statement_json
from verification.checks import CheckResults

_NAMED = 12


@dataclass(frozen=True)
class Enclosed:
    """Files that came with a log; ``below`` precedes their names in problems.

    ``analysis_id`` is the manifest's, ``comparisons`` are texts by name. ``bundle``: the web app made all
    files, so nothing comes from elsewhere. ``analysis_sha256`` is that of the text of ``analysis``.
    """

    analysis: Analysis | None
    annotations: SavedAnnotations | None = None
    second_review: SecondReview | None = None
    comparisons: Mapping[str, bytes] = field(default_factory=dict)
    analysis_id: str | None = None
    bundle: bool = False
    below: str = ""
    analysis_sha256: str | None = None


def check_against_log(log: ExportedLog, came: Enclosed, results: CheckResults) -> None:
    """Compare the files with the entries of the log in both directions."""
    exhibit = log.exhibit or (came.analysis.media.sha256 if came.analysis else None)
    own = [entry for entry in log.entries if entry.exhibit == exhibit]
    analysis_id = came.analysis_id or _stated(came)
    about = analysis_id or _found(own, came)
    since = bool(own) and own[0].action == "intake"  # else the exhibit was there before the log began
    if about is not None:
        of_it = [entry for entry in own if entry.analysis == about]
        known = any(entry.action in ("analysis queued", "analysis finished") for entry in of_it)
        if not known:
            _say_unknown(about, since, came.below, results)
        since |= known
        _check_finding(of_it, came, results)
    else:
        of_it = own
        if since:
            _check_any_finding(own, came, results)
    _Statements(of_it, log, since, results).check(came, all_of_it=about is not None)
    _check_comparisons(own, came, results)


def _stated(came: Enclosed) -> str | None:
    """Return the id of the analysis that files beside the manifest state."""
    if came.annotations is not None and came.annotations.analysis:
        return came.annotations.analysis
    return came.second_review.analysis if came.second_review is not None else None


def _found(own: Iterable[Entry], came: Enclosed) -> str | None:
    """Return the id of the only analysis with these annotations or this finding, if no file states the id."""
    annotation_ids = (
        {annotation.id for annotation in came.annotations.annotations} if came.annotations else set()
    )
    own = list(own)
    annotated = {
        e.analysis for e in own if e.action == "annotation" and e.details.get("id") in annotation_ids
    }
    entries = annotated or {
        entry.analysis
        for entry in own
        if entry.action == "analysis finished" and came.analysis and not _unlike(entry, came)
    }
    return next(iter(entries)) if len(entries) == 1 else None


def _say_unknown(about: str, since: bool, below: str, results: CheckResults) -> None:
    if since:
        why = f"it has the exhibit's intake, and no entry that analysis {about} was queued or finished"
        results.add(f"{below}{CUSTODY}", "does not fit", why)
    else:
        results.notes.append(
            f"{below}{CUSTODY} has no entry that analysis {about} was queued or finished: it is from before "
            "the log, or was never in it."
        )


def _check_finding(of_it: Iterable[Entry], came: Enclosed, results: CheckResults) -> None:
    finished = [entry for entry in of_it if entry.action == "analysis finished"]
    for difference in _unlike(finished[-1], came) if finished else ():
        why = f"entry {finished[-1].number} of the custody log holds another {difference}"
        results.add(f"{came.below}{ANALYSIS}", "does not fit", why)


def _check_any_finding(own: Iterable[Entry], came: Enclosed, results: CheckResults) -> None:
    """Check that the analysis, of which no file states the id, is one of those that the log holds."""
    finished = [entry for entry in own if entry.action == "analysis finished"]
    if len(finished) == 1:
        _check_finding(finished, came, results)
    elif finished and came.analysis is not None and all(_unlike(entry, came) for entry in finished):
        entries = f"entries {_numbers(finished)} of the custody log, on finished analyses"
        results.add(f"{came.below}{ANALYSIS}", "does not fit", f"none of {entries}, holds its finding")


def _numbers(entries: Sequence[Entry]) -> str:
    """Return the numbers of the first of these entries."""
    return ", ".join(str(entry.number) for entry in entries[:_NAMED]) + ", …" * (len(entries) > _NAMED)


def _unlike(entry: Entry, came: Enclosed) -> list[str]:
    """Return what an entry on a finished analysis states differently; older entries state less."""
    if came.analysis is None:
        return []
    return [
        noun
        for name, noun, value in _logged_facts(came.analysis, came.analysis_sha256)
        if (name in entry.details and entry.details[name] != value)
        # Entries that name the weights name the verdict on the voices as well, if there is one.
        or (name == "voice" and value is not None and name not in entry.details and _WEIGHTS in entry.details)
    ]


_WEIGHTS = "model sha256"


def _logged_facts(analysis: Analysis, sha256: str | None) -> Iterator[tuple[str, str, str | None]]:
    """Yield the details of an entry on ``analysis``, finished, with a noun for each.

    ``webapp.worker.run_analysis`` and ``webapp.jobs.claims`` write them.
    """
    yield "verdict", "verdict", analysis.verdict.value
    probability = "none" if analysis.probability is None else repr(float(analysis.probability))
    yield "probability", "probability", probability
    yield "voice", "verdict on the voices", analysis.voice.verdict.value if analysis.voice else None
    yield "model", "model", analysis.model.name
    yield _WEIGHTS, "SHA-256 of the model's weights", analysis.model.sha256
    yield "reelproof", "version of Reelproof", analysis.software.reelproof
    if analysis.schema_version == SCHEMA_VERSION:  # other versions summarise other fields
        text = json.dumps(summarise(analysis))
        yield "finding sha256", "summary of the finding", hashlib.sha256(text.encode()).hexdigest()
    if sha256 is not None:
        yield "analysis sha256", "SHA-256 of the file", sha256


@dataclass(frozen=True)
class _Said:
    """One annotation or statement: author, time, and the SHA-256 that the log must have."""

    id: str
    author: str
    made: datetime
    sha256: str


@dataclass(frozen=True)
class _Statements:
    """Entries on annotations and statements; ``since``: all of them were made since the log began."""

    of_it: list[Entry]
    log: ExportedLog
    since: bool
    results: CheckResults

    def check(self, came: Enclosed, *, all_of_it: bool) -> None:
        """Compare the statements; ``all_of_it``: none of the log's entries may be missing."""
        annotations = came.annotations.annotations if came.annotations else ()
        statements = [
            _Said(annotation.id, annotation.author, annotation.made, checksum([to_json(annotation)]))
            for annotation in annotations
        ]
        missing = self._compared(statements, "annotation", f"{came.below}{ANNOTATIONS}")
        if all_of_it and missing:
            self._say_missing(missing, f"{came.below}{ANNOTATIONS}", there=came.annotations is not None)
        if came.second_review is None:
            return
        statements = [
            _Said(annotation.id, annotation.author, annotation.made, checksum([statement_json(annotation)]))
            for annotation in came.second_review.statements
        ]
        name = f"{came.below}{SECOND_REVIEW}"
        missing = self._compared(statements, "second review", name)
        if all_of_it and missing and statements:  # else one judgement awaits the other
            self._say_missing(missing, name, there=True)

    def _compared(self, statements: Iterable[_Said], action: str, name: str) -> list[Entry]:
        """Report differences and statements missing in the log; return entries without a statement."""
        entries = {str(e.details.get("id")): e for e in self.of_it if e.action == action}
        exported = timestamps.parse(self.log.exported)
        later = earlier = 0
        for statement in statements:
            entry = entries.pop(statement.id, None)
            subject = f"what {statement.author} said on {iso_milliseconds(statement.made)}"
            if entry is not None:
                if entry.details.get("sha256", statement.sha256) != statement.sha256:
                    why = f"{subject} is not as entry {entry.number} of the custody log holds it"
                    self.results.add(name, "does not fit", why)
            elif statement.made > exported - CLOCK_SKEW:
                later += 1
            elif self.since:
                self.results.add(name, "does not fit", f"{subject} is not in the custody log")
            else:
                earlier += 1
        for count, when in ((later, "after it was exported"), (earlier, "perhaps before it began")):
            if count:
                self.results.notes.append(
                    f"{name}: {count:,} of what it holds is not in the custody log, made {when}."
                )
        return list(entries.values())

    def _say_missing(self, missing: list[Entry], name: str, *, there: bool) -> None:
        numbers = _numbers(missing)
        entries = f"entry {numbers} of the custody log holds"
        if len(missing) > 1:
            entries = f"entries {numbers} of the custody log hold"
        why = f"nothing is there of what {entries}"
        self.results.add(name, "does not fit" if there else "missing", why)


def _check_comparisons(own: Iterable[Entry], came: Enclosed, results: CheckResults) -> None:
    finished = {entry.analysis: entry for entry in own if entry.action == "comparison finished"}
    for name, text in came.comparisons.items():
        entry = finished.get(name.removeprefix(f"{FOLDER}/").removesuffix(f"/{RESULT}"))
        sha256 = hashlib.sha256(text).hexdigest()
        if entry is None and came.bundle:
            results.add(name, "does not fit", "the custody log has no entry that this comparison finished")
        elif entry is not None and entry.details.get("comparison sha256", sha256) != sha256:
            why = f"it is not the one whose SHA-256 entry {entry.number} of the custody log holds"
            results.add(name, "does not fit", why)

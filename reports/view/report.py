"""The view model: everything a template shows, already in words.

``report_view`` is the only place where an :class:`~detector.schema.analysis.Analysis` is turned
into text. Web page, HTML and PDF read the same :class:`ReportView`, so they cannot
disagree. Templates hold no number formatting and no decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from detector import timestamps
from detector.schema.analysis import Analysis, MediaKind, Span, Verdict
from detector.schema.laboratory.quoted import Laboratory
from reports.inputs.case import NOT_STATED, CaseDetails
from reports.inputs.comparisons import KeptComparison, files_of
from reports.inputs.exhibit_check import ExhibitCheck
from reports.inputs.pictures import Picture, find_picture, heat_scale
from reports.review.annotations import Annotation
from reports.review.second_review import SecondReview
from reports.text import dates, language, numbers, photographs
from reports.text.coverage import not_examined
from reports.text.finding import figure_name, finding
from reports.text.glossary import glossary
from reports.text.language import gettext
from reports.text.meaning import SCALE, interval_made, verdict_limits, verdict_meaning
from reports.text.numbers import timecode
from reports.text.procedure import procedure
from reports.text.words import gap_reason
from reports.view import facts, reproduction, summary
from reports.view.comparisons.view import ComparisonView, comparison_view
from reports.view.contents import Section, contents
from reports.view.custody import CustodyView, custody_view
from reports.view.declarations import DeclarationsView, declarations_view
from reports.view.facts import Fact, ModelView, Setting
from reports.view.metadata.view import MetadataView, metadata_view
from reports.view.others import OthersView, others_view
from reports.view.persons import PersonView, person_view
from reports.view.reader import ReaderView, of_model
from reports.view.reviewers import ReviewerView, reviewer_view
from reports.view.second_review import SecondReviewView, second_review_view
from reports.view.segments import PeakView, SegmentView, segment_view
from reports.view.timeline.drawing import Timeline, draw
from reports.view.validation.laboratory import THRESHOLD, LaboratoryView, laboratory_view
from reports.view.validation.validity import ValidationView, validation

__all__ = ["Fact", "PeakView", "PersonView", "ReportView", "SegmentView", "report_view", "timecode"]

# Fields whose texts are names, keys or other people's words.
_NOT_OURS = frozenset(
    {
        *(
            f"ReportView.{name}"
            for name in (
                "language", "verdict", "running", "paper", "file", "file_short", "exhibit_sha256",
                "created_iso", "zone", "reelproof", "command", "comparison", "beside", "check",
            )
        ),
        *(f"JudgementView.{name}" for name in ("author", "made", "mark", "reasons", "direction")),
        *(f"StatementView.{name}" for name in ("id", "author", "made", "text", "direction")),
        *(f"OutcomeView.{name}" for name in ("mark", "reasons", "direction")),
        *(f"StretchView.{name}" for name in ("start", "end", "note")),
        *(f"AnnotationView.{name}" for name in ("note", "direction", "author", "imported_by", "mark")),
        *(f"Picture.{name}" for name in ("key", "path")),
        "ComparisonView.reference_file",
        "MetadataView.tags",
        "Section.key",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """A stretch of time that was not examined, and why."""

    start: str
    end: str
    duration: str
    reason: str


@dataclass(frozen=True)
class ReportView:
    """All a report or a result page shows of one analysis."""

    language: str
    still: bool
    sections: dict[str, Section]
    case: tuple[Fact, ...]
    running: str
    paper: str
    file: str
    file_short: str
    exhibit_sha256: str
    created: str
    created_iso: str
    created_local: str
    zone: str
    reelproof: str
    verdict: str
    finding: str
    reason: str
    declared: DeclarationsView
    answers: tuple[summary.Answer, ...]
    figure: str
    figure_name: str
    both: str  # answers about a photo
    strength: numbers.Strength | None
    strengths: tuple[numbers.Strength, ...]
    scale: str
    exhibit: tuple[Fact, ...]
    recording: tuple[Fact, ...]
    metadata: MetadataView
    validation: ValidationView
    laboratory: LaboratoryView | None
    timeline: Timeline
    persons: tuple[PersonView, ...]
    segments: tuple[SegmentView, ...]
    others: OthersView | None
    photo: Picture | None  # with each face boxed
    clean: Picture | None  # the same without
    heat_scale: tuple[str, ...]
    procedure: str
    coverage: tuple[Fact, ...]
    settings: tuple[Setting, ...]
    method: tuple[Fact, ...]
    command: str
    comparison: str
    tolerance: str
    model: ModelView
    gaps: tuple[Gap, ...]
    not_examined: tuple[str, ...]
    verdict_meaning: tuple[str, ...]
    verdict_limits: tuple[str, ...]
    interval_made: str
    glossary: tuple[tuple[str, str], ...]
    annotations: ReviewerView
    second_review: SecondReviewView | None
    references: tuple[ComparisonView, ...]
    custody: CustodyView
    reader: ReaderView
    check: str  # what hashing the exhibit again showed, for programs: SHA-256, bytes, moment
    beside: tuple[str, ...]  # paths of the files of comparisons

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture a report shows, in reading order."""
        both = [picture for peak in self._peaks() for picture in (peak.frame, peak.overlay)]
        both += self.others.pictures if self.others else ()
        compared = [picture for each in self.references for picture in each.pictures]
        return tuple(picture for picture in (*filter(None, [self.photo]), *both, *compared) if picture.path)

    @property
    def kept(self) -> tuple[str, ...]:
        """Paths of all pictures that belong to the analysis."""
        every = [picture for peak in self._peaks() for picture in (peak.frame, peak.overlay, peak.map)]
        every += filter(None, [self.photo, self.clean])
        every += self.others.kept if self.others else ()
        return tuple(dict.fromkeys(picture.path for picture in every if picture.path))

    def _peaks(self) -> list[PeakView]:
        return [peak for segment in self.segments for peak in segment.peaks]


def report_view(
    analysis: Analysis,
    folder: Path,
    annotations: Iterable[Annotation] = (),
    case: CaseDetails | None = None,
    custody: bytes | None = None,
    check: ExhibitCheck | None = None,
    comparisons: Sequence[KeptComparison] = (),
    laboratory: Laboratory | None = None,
    speak: str = language.DEFAULT,
    second_review: SecondReview | None = None,
) -> ReportView:
    """Put an analysis, and what people say of it, into words.

    ``folder`` is where its ``analysis.json`` lies; pictures are looked up in it. ``custody`` is
    the bytes of ``custody.json``, ``check`` what hashing the exhibit again showed, ``comparisons`` are
    those of the exhibit with references, ``laboratory`` is what is quoted of the laboratory's own validation,
    ``second_review`` is that of the exhibit. ``speak`` is the language of the words. Raises
    :class:`~reports.errors.PictureError` when the analysis names a picture outside the folder.
    """
    case = case or CaseDetails()
    with language.speaking(speak):
        view = _view(
            analysis, folder, annotations, case, custody, check, comparisons, laboratory, second_review
        )
        return cast(ReportView, language.spoken(view, _NOT_OURS))


def _view(
    analysis: Analysis,
    folder: Path,
    annotations: Iterable[Annotation],
    case: CaseDetails,
    custody: bytes | None,
    check: ExhibitCheck | None,
    comparisons: Sequence[KeptComparison],
    laboratory: Laboratory | None,
    second_review: SecondReview | None,
) -> ReportView:
    media = analysis.media
    created, created_iso = dates.in_utc(analysis.software.created)
    still = media.kind is MediaKind.IMAGE
    sections = contents(
        still,
        compared=bool(comparisons),
        reviewed=second_review is not None,
        several=analysis.joint is not None,
    )
    reviewed = None
    if second_review is not None:
        reviewed = second_review_view(second_review, 0.0 if still else media.duration)
    references = tuple(
        comparison_view(each.comparison, each.root, each.sha256, each.below) for each in comparisons
    )
    own = laboratory_view(laboratory, analysis) if laboratory else None
    figure, manipulated = analysis.probability, analysis.verdict is Verdict.MANIPULATED
    return ReportView(
        language=language.current(),
        still=still,
        sections=sections,
        case=facts.case(case),
        running=_running(case),
        paper=case.paper,
        file=numbers.file_name(media.file),
        file_short=numbers.shortened(numbers.file_name(media.file)),
        exhibit_sha256=media.sha256,
        created=created,
        created_iso=created_iso,
        created_local=dates.in_zone(analysis.software.created, case.time_zone),
        zone=case.time_zone,
        reelproof=analysis.software.reelproof,
        verdict=analysis.verdict.value,
        finding=finding(analysis),
        reason=analysis.reason,
        declared=declarations_view(analysis),
        answers=_answers(analysis, sections, own, reviewed, references),
        figure=numbers.probability(figure),
        figure_name=figure_name(analysis),
        both=photographs.both(analysis.answers) if still else "",
        # Beside another verdict a phrase would contradict it.
        strength=numbers.strength(figure) if figure is not None and manipulated else None,
        strengths=numbers.STRENGTHS,
        scale=SCALE,
        exhibit=facts.exhibit(media, check),
        recording=facts.recording(media),
        metadata=metadata_view(media),
        validation=validation(analysis),
        laboratory=own,
        timeline=draw(analysis),
        persons=tuple(person_view(analysis, person) for person in analysis.persons),
        segments=tuple(segment_view(analysis, segment, folder) for segment in analysis.segments),
        others=others_view(analysis, folder),
        photo=_photo(folder, analysis.boxed, gettext("The photograph with each face boxed and named")),
        clean=_photo(folder, analysis.picture, gettext("The photograph")),
        heat_scale=heat_scale(),
        procedure=procedure(analysis),
        coverage=facts.coverage(analysis),
        settings=facts.settings(analysis),
        method=reproduction.computed_with(analysis),
        command=reproduction.command(analysis),
        comparison=reproduction.comparison(analysis),
        tolerance=reproduction.tolerance(),
        model=facts.model(analysis.model, still),
        gaps=tuple(_gap(span) for span in analysis.coverage.not_examined),
        not_examined=not_examined(analysis),
        verdict_meaning=verdict_meaning(analysis),
        verdict_limits=verdict_limits(analysis),
        interval_made=interval_made(analysis),
        glossary=glossary(analysis),
        annotations=reviewer_view(analysis, annotations),
        second_review=reviewed,
        references=references,
        reader=of_model(analysis.model, still),
        check=f"{check.sha256} {check.bytes} {timestamps.iso_seconds(check.checked)}" if check else "",
        beside=tuple(f"{each.below}{path}" for each in comparisons for path in files_of(each.comparison)),
        custody=custody_view(custody, media.sha256),
    )


def _running(case: CaseDetails) -> str:
    """What the head of every page says of the case."""
    number = numbers.shortened(numbers.file_name(case.case_number), 28) or gettext(
        "number %(not_stated)s", not_stated=gettext(NOT_STATED)
    )
    exhibit = numbers.shortened(numbers.file_name(case.exhibit_number), 20)
    return gettext(
        "Case %(number)s%(exhibit)s",
        number=number,
        exhibit=(gettext(" · Exhibit %(exhibit)s", exhibit=exhibit) if exhibit else ""),
    )


def _answers(
    analysis: Analysis,
    sections: dict[str, Section],
    own: LaboratoryView | None,
    reviewed: SecondReviewView | None,
    references: Sequence[ComparisonView],
) -> tuple[summary.Answer, ...]:
    """The questions of the first page with their answers, in reading order."""
    found = [*summary.key_answers(analysis, sections)]
    if own and own.decision:
        found.append((THRESHOLD, own.decision))
    if reviewed:
        found.append((gettext("Second review"), reviewed.summary))
    if analysis.joint:
        found += summary.models(analysis, sections)
    if references:
        found += summary.references([each.title for each in references], sections)
    return tuple(found)


def _photo(folder: Path, path: str | None, words: str) -> Picture | None:
    return find_picture(folder, path, words) if path else None


def _gap(span: Span) -> Gap:
    return Gap(
        timecode(span.start), timecode(span.end), timecode(span.end - span.start), gap_reason(span.reason)
    )

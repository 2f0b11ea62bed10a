"""The view model of the report: everything that the templates show, already in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detector import timestamps
from detector.schema.analysis import KEPT_WIDTH, Analysis, Verdict
from detector.schema.formatting import never_rounding_up_to
from detector.schema.laboratory import Laboratory
from detector.schema.strength import MaterialKind
from detector.schema.summary import AnalysisOutcome, verdicts_of
from detector.schema.voice import VoiceVerdict
from detector.verdict.finding import finding_of
from language import translation
from language.formatting import probability
from language.headlines import headline
from language.languages import DEFAULT
from language.translation import UNTRANSLATED, english_note, gettext, reason_text
from reports.annex import ReaderView, glossary, reader_view
from reports.comparison.comparison_section import ComparisonView, comparison_view
from reports.comparison.kept import KeptComparison, files_of
from reports.custody.custody_section import CustodyView, custody_view
from reports.exhibit.declarations import DeclarationsView, declarations_view
from reports.exhibit.identity import HeadView, exhibit_facts, head_view, recording_facts
from reports.exhibit.metadata import MetadataView, metadata_view
from reports.file_names import ANNOTATIONS, CUSTODY, LABORATORY, SECOND_REVIEW
from reports.finding import summary
from reports.finding.meaning import MeaningView, meaning_view
from reports.finding.not_examined import NotExaminedView, not_examined_view
from reports.finding.other_models import OtherModelsView, other_models_view
from reports.finding.summary import FigureView, figure_view
from reports.inputs.case import CaseDetails
from reports.inputs.input_files import ExhibitCheck, parse_laboratory
from reports.inputs.pictures import ShownPicture, find_picture, heat_scale
from reports.persons.segments import (
    PeakView,
    PersonView,
    SegmentView,
    boundary_words,
    person_view,
    segment_view,
)
from reports.persons.timeline import Timeline, brief_timeline, draw_timeline
from reports.procedure.method import ModelView, ParameterView, coverage_facts, model_view, parameter_views
from reports.procedure.reproduction import ReproductionView, reproduction_view
from reports.procedure.steps import procedure
from reports.review.annotation_section import ReviewerView, reviewer_view
from reports.review.annotations import Annotation
from reports.review.second_review import SecondReview, review_of
from reports.review.second_review_section import SecondReviewView, second_review_view
from reports.sound.sound_section import SoundView, sound_view
from reports.sound.words import first_page_sentence, recording_answers, unexamined_faces
from reports.validation.error_rates import MeasuredErrors, measured_errors
from reports.validation.laboratory import (
    THRESHOLD,
    VOICE_THRESHOLD,
    LaboratoryView,
    laboratory_view,
    voices_view,
)
from reports.wording.lengths import FULL, SUMMARY, Length
from reports.wording.sections import Fact, Section, contents, of_length
from reports.wording.verbal_scale import flagged_phrase
from reports.wording.verdict_sentence import mark_of, verdict_sentence


@dataclass(frozen=True)
class ReportInputs:
    """Inputs of a report beside the analysis; bytes are the text of a file that goes with the report.

    ``annotation_file`` is the ``annotations.json`` that ``annotations`` come from, if it is to be stored.
    ``check`` is the result of hashing the exhibit again.
    """

    annotations: Sequence[Annotation] = ()
    annotation_file: bytes | None = None
    case: CaseDetails | None = None
    custody: bytes | None = None
    check: ExhibitCheck | None = None
    comparisons: Sequence[KeptComparison] = ()
    laboratory: bytes | None = None
    second_review: bytes | None = None
    language_code: str = DEFAULT
    length: Length = FULL

    def files(self) -> dict[str, bytes]:
        """Return the texts of files by their names beside the report."""
        texts = {
            ANNOTATIONS: self.annotation_file,
            CUSTODY: self.custody,
            LABORATORY: self.laboratory,
            SECOND_REVIEW: self.second_review,
        }
        return {name: text for name, text in texts.items() if text is not None}

    def quoted_laboratory(self) -> Laboratory | None:
        """Parse ``laboratory``; raise :class:`~reports.inputs.input_files.LaboratoryError`."""
        return parse_laboratory(self.laboratory) if self.laboratory is not None else None

    def parsed_review(self, exhibit_sha256: str) -> SecondReview | None:
        """Parse ``second_review``.

        Raise :class:`~reports.review.second_review.SecondReviewError`, also if it is about another exhibit.
        """
        return review_of(self.second_review, exhibit_sha256)


ALONE = ReportInputs()
"""Nothing beside the findings."""


__all__ = ["PeakView", "ReportView", "SegmentView", "report_view"]


@dataclass(frozen=True)
class Lead:
    """What the first page shows: the leading peak of the strongest flagged segment or face."""

    segment: SegmentView
    peak: PeakView


@dataclass(frozen=True)
class StrengthView:
    """The probability of one verdict, and how strong a finding it is; "" for other verdicts."""

    about: str
    figure: str
    strength: str


@dataclass(frozen=True)
class ReportView:
    """Everything that a report or a result page shows of one analysis."""

    language: str = field(metadata=UNTRANSLATED)
    length: Length = field(metadata=UNTRANSLATED)
    still: bool
    sound_only: bool
    sections: dict[str, Section]
    paper: str = field(metadata=UNTRANSLATED)
    head: HeadView
    verdict: str = field(metadata=UNTRANSLATED)
    headline: str  # both verdicts, the more serious one first
    outcome: AnalysisOutcome = field(metadata=UNTRANSLATED)
    verdict_mark: str = field(metadata=UNTRANSLATED)  # its name in style sheets, graded by strength
    verdict_sentence: str
    reason: str
    statements_note: str  # where they stay in English
    declared: DeclarationsView
    answers: tuple[summary.KeyAnswer, ...]
    strengths: tuple[StrengthView, ...]  # of the verdicts on faces and on voices
    reliability: tuple[str, ...]  # how often verdicts like these were wrong
    next_steps: str  # as a page says it; a report has it among its answers
    figure: FigureView
    figure_words: str
    lead: Lead | None
    brief: Timeline | None  # of the first page
    exhibit: tuple[Fact, ...]
    recording: tuple[Fact, ...]
    metadata: MetadataView
    measured_errors: MeasuredErrors
    laboratory: LaboratoryView | None
    laboratory_of_voices: LaboratoryView | None
    timeline: Timeline
    persons: tuple[PersonView, ...]
    segments: tuple[SegmentView, ...]
    boundaries: str  # how exact those of segments are
    unexplained: str  # that there are no pictures of the segments; empty if there are
    sound: SoundView | None
    others: OtherModelsView | None
    photo: ShownPicture | None  # with each face boxed
    clean: ShownPicture | None  # the same without
    procedure: tuple[str, ...]  # paragraphs
    coverage: tuple[Fact, ...]
    parameters: tuple[ParameterView, ...]
    reproduction: ReproductionView
    model: ModelView
    not_examined: NotExaminedView
    meaning: MeaningView
    glossary: tuple[tuple[str, str], ...]
    annotations: ReviewerView
    second_review: SecondReviewView | None
    references: tuple[ComparisonView, ...]
    custody: CustodyView
    reader: ReaderView
    # What hashing the exhibit again showed, for programs: SHA-256, bytes, moment
    exhibit_check: str = field(metadata=UNTRANSLATED)
    comparison_files: tuple[str, ...] = field(metadata=UNTRANSLATED)  # paths
    kept: tuple[str, ...] = field(metadata=UNTRANSLATED)  # paths of all stored pictures of the analysis

    @property
    def flagged(self) -> int:
        """Number of flagged segments; no finding rests on the others."""
        return sum(segment.flagged for segment in self.segments)

    @property
    def has_full_timeline(self) -> bool:
        """Whether a timeline says more than the first page: of all persons, models or faces of a photo."""
        if self.still:
            return len(self.persons) > 1
        return self.others is not None or self.brief is None or self.brief.omitted > 0

    @property
    def kept_width(self) -> int:
        """Largest width in px of stored frames and photographs."""
        return KEPT_WIDTH

    @property
    def heat_scale(self) -> tuple[str, ...]:
        """Colours of heatmaps, from none to hottest."""
        return heat_scale()

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """Pictures of a report in reading order."""
        if self.length == SUMMARY:
            alone = (self.photo,) if self.photo else ()
            shown = (*self.lead.peak.shown, *self.lead.segment.moments) if self.lead else alone
            shown += self.sound.summary_pictures if self.sound else ()
            return tuple(picture for picture in shown if picture.path)
        both = [picture for segment in self.segments for picture in segment.moments]
        both += [picture for peak in self._peaks() for picture in peak.shown]
        both += self.others.pictures if self.others else ()
        both += self.sound.pictures if self.sound else ()
        compared = [picture for reference in self.references for picture in reference.pictures]
        return tuple(picture for picture in (*filter(None, [self.photo]), *both, *compared) if picture.path)

    def _peaks(self) -> list[PeakView]:
        return [peak for segment in self.segments for peak in segment.peaks]


def report_view(analysis: Analysis, folder: Path, inputs: ReportInputs = ALONE) -> ReportView:
    """Describe an analysis, its annotations and its reviews.

    ``folder`` holds ``analysis.json`` and its pictures. Raise :class:`~reports.errors.PictureError` if the
    analysis names a picture outside the folder, and another :class:`~reports.errors.ReportError` if one of
    ``inputs`` is invalid or about another exhibit.
    """
    with translation.speaking(inputs.language_code), never_rounding_up_to(*analysis.parameters.thresholds):
        return translation.translated_view(_view(analysis, folder, inputs))


def _has_codes(analysis: Analysis) -> bool:
    """Return whether every statement has a code, as since 0.3."""
    major, minor = (int(part) for part in analysis.schema_version.split("."))
    return bool(analysis.causes) and (major, minor) >= (1, 27)


def _view(analysis: Analysis, folder: Path, inputs: ReportInputs) -> ReportView:
    media, case, check = analysis.media, inputs.case or CaseDetails(), inputs.check
    quoted, review = inputs.quoted_laboratory(), inputs.parsed_review(media.sha256)
    laboratory = laboratory_view(quoted, analysis) if quoted and not media.sound_only else None
    laboratory_of_voices = voices_view(quoted, analysis) if quoted else None
    second_review = None
    if review is not None:
        duration = 0.0 if media.still else media.duration
        second_review = second_review_view(review, duration, inputs.annotations)
    references = tuple(
        comparison_view(kept.comparison, kept.root, kept.sha256, kept.below) for kept in inputs.comparisons
    )
    sound = sound_view(analysis, folder)
    sections = contents(
        media.still,
        compared=bool(references),
        reviewed=second_review is not None,
        several=analysis.joint is not None,
        declared=bool(analysis.declarations),
        heard=sound is not None and sound.examined,
        confirmed=not analysis.segments or bool(finding_of(analysis).flagged),
        sound_only=media.sound_only,
    )
    of_sound = sound if media.sound_only else None
    if of_sound:
        answers = [*recording_answers(analysis)]
    else:
        answers = [*summary.key_answers(analysis)]
        if sound:
            answers.insert(-1, (gettext("Voice"), first_page_sentence(analysis)))
    if laboratory and laboratory.decision:
        answers.append((THRESHOLD, laboratory.decision))
    if laboratory_of_voices and laboratory_of_voices.decision:
        answers.append((VOICE_THRESHOLD, laboratory_of_voices.decision))
    if second_review:
        answers.append((gettext("Second review"), second_review.summary))
    if analysis.joint:
        answers.append(summary.models_answer(analysis))
    if references:
        answers.append(summary.references_answer([reference.title for reference in references]))
    segments = tuple(segment_view(analysis, segment, folder) for segment in analysis.segments)
    figure, verdicts = figure_view(analysis), verdicts_of(analysis)
    return ReportView(
        language=translation.current(),
        length=inputs.length,
        still=media.still,
        sound_only=media.sound_only,
        sections=of_length(sections, inputs.length, segments=bool(segments)),
        paper=case.paper,
        head=head_view(analysis, case),
        verdict=of_sound.verdict if of_sound else analysis.verdict.value,
        headline=headline(verdicts),
        outcome=verdicts.outcome,
        verdict_mark=mark_of(verdicts),
        verdict_sentence=(of_sound.sentence or of_sound.absent) if of_sound else verdict_sentence(analysis),
        reason=" ".join(filter(None, (unexamined_faces(analysis), of_sound.reason)))
        if of_sound
        else reason_text(analysis),
        declared=declarations_view(analysis),
        statements_note="" if _has_codes(analysis) else english_note(),
        answers=tuple(answers),
        strengths=_strengths(analysis, figure),
        reliability=summary.reliability(analysis),
        next_steps=summary.next_steps(analysis),
        figure=figure,
        figure_words=summary.figure_words(analysis),
        lead=_lead(analysis, segments),
        brief=brief_timeline(analysis),
        exhibit=exhibit_facts(media, check),
        recording=recording_facts(analysis),
        metadata=metadata_view(analysis.with_examined_sound().media),
        measured_errors=measured_errors(analysis),
        laboratory=laboratory,
        laboratory_of_voices=laboratory_of_voices,
        timeline=draw_timeline(analysis),
        persons=tuple(person_view(analysis, person) for person in analysis.persons),
        segments=segments,
        boundaries=boundary_words(analysis),
        unexplained=""
        if analysis.explained
        else gettext("Heatmaps and film strips were not made. The finding does not depend on them."),
        sound=sound,
        others=other_models_view(analysis, folder),
        photo=_photo(folder, analysis.boxed, gettext("The photograph with each face framed and named")),
        clean=_photo(folder, analysis.picture, gettext("The photograph")),
        procedure=procedure(analysis),
        coverage=coverage_facts(analysis),
        parameters=parameter_views(analysis),
        reproduction=reproduction_view(analysis),
        model=model_view(analysis.model, media.still),
        not_examined=not_examined_view(analysis),
        meaning=meaning_view(analysis, sections["model"].number if laboratory and laboratory.ratio else None),
        glossary=glossary(analysis, sections["limits"].number if "limits" in sections else 0),
        annotations=reviewer_view(analysis, inputs.annotations),
        second_review=second_review,
        references=references,
        custody=custody_view(inputs.custody, media.sha256),
        reader=reader_view(analysis),
        exhibit_check=f"{check.sha256} {check.bytes} {timestamps.iso_seconds(check.checked)}"
        if check
        else "",
        comparison_files=tuple(
            f"{kept.below}{path}" for kept in inputs.comparisons for path in files_of(kept.comparison)
        ),
        kept=_kept(analysis, folder),
    )


def _strengths(analysis: Analysis, faces: FigureView) -> tuple[StrengthView, ...]:
    """Return the probabilities of both verdicts, and how strong they are as findings."""
    voice, strengths = analysis.voice, []
    if verdicts_of(analysis).faces is not None:
        figure = faces.text if faces.name else gettext("not judged")
        phrase = faces.strength.phrase if faces.strength else ""
        strengths.append(StrengthView(gettext("Faces"), figure, phrase))
    if voice is not None:
        figure, phrase = gettext("not judged"), ""
        if voice.probability is not None:
            figure = probability(voice.probability)
            if voice.verdict is VoiceVerdict.SYNTHETIC:
                phrase = flagged_phrase(voice.probability, MaterialKind.VOICE)
        strengths.append(StrengthView(gettext("Voices"), figure, phrase))
    return tuple(strengths)


def _lead(analysis: Analysis, segments: Sequence[SegmentView]) -> Lead | None:
    """Return the peak that the first page shows, None if no picture of one was stored.

    It is one of a flagged segment, or beside an inconclusive verdict of what was looked at.
    """
    eligible = finding_of(analysis).flagged
    if not eligible and analysis.verdict is Verdict.INCONCLUSIVE:
        eligible = analysis.segments
    with_peaks = [segment for segment in eligible if segment.lead]
    if not with_peaks:
        return None
    strongest = max(with_peaks, key=lambda segment: segment.confidence)
    view = next(view for view in segments if view.id == strongest.id)
    return Lead(view, view.peaks[strongest.peaks.index(strongest.lead)])


def _kept(analysis: Analysis, folder: Path) -> tuple[str, ...]:
    """Return the paths of all pictures that the analysis names and the folder holds."""
    named = [path for segment in analysis.every_segment for path in segment.pictures]
    named += filter(None, (analysis.boxed, analysis.picture))
    named += analysis.voice.pictures if analysis.voice else ()
    return tuple(path for path in dict.fromkeys(named) if find_picture(folder, path, "").path)


def _photo(folder: Path, path: str | None, words: str) -> ShownPicture | None:
    return find_picture(folder, path, words) if path else None

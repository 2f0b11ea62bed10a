"""Run one analysis from end to end: the stages in order, each from its own package."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

import detector.engine  # noqa: F401 - brings all that an analysis imports
from detector import timestamps
from detector.backends.explaining import explaining_graphs
from detector.backends.selection import needs_torch, open_backend
from detector.environment import describe_software, extend_command, libraries, source_sha256
from detector.errors import PicturesNotReadError, ReelproofError, SoundOnlyError
from detector.explain.overlays import BOXED, PHOTO, write_boxed, write_photo
from detector.explanation import Explanation
from detector.faces.search.networks import FaceDetector
from detector.faces.search.photos import find_upright_turn, may_be_rotated
from detector.files import hash_file, write_atomically
from detector.findings import ModelFindings, OtherModels, OtherVerdicts, judge
from detector.fingerprint.sampling import FingerprintSampler
from detector.marks.search import MarkWatch
from detector.media.acceptance import InputLimits
from detector.media.completeness import missing_seconds
from detector.media.enlargement import EnlargementMeter
from detector.media.frame import Image, Size
from detector.media.open import open_media
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader, PictureGrowsError
from detector.metadata.exhibit import add_metadata, media_facts
from detector.models.loaded import LoadedModel, load_model
from detector.process.resources import release_memory, share_arenas
from detector.progress import EndingReport, Progress, ReportShare
from detector.recordings import analyze_recording
from detector.schema.analysis import Analysis, Media, MediaKind, Parameters
from detector.schema.causes.cause import Cause
from detector.schema.causes.failures import cause_of
from detector.schema.causes.reasons import ReasonCode
from detector.schema.formatting import N_, never_rounding_up_to, printable_name
from detector.schema.joint import JointRule
from detector.scoring.first_pass import BATCH, FirstPass, FirstPassResult
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import fill_in_fused, run_second_look
from detector.segments.boundaries import refine_boundaries
from detector.segments.explained_peaks import Explainable
from detector.verdict.coverage import measure_coverage, unexamined_causes
from detector.verdict.judged_persons import flagged_persons, manipulation_kind
from detector.verdict.verdict import exhibit_stability
from detector.voice.examine import examine_voice

log = logging.getLogger(__name__)

# Progress at the end of each stage, as a share of the whole.
_EXPLAINING = 0.92  # where the finding stands
# What comes before it is shared out by cost: seconds of processor time, measured on clips of 6 to 60 seconds
# with one or two persons, and seconds for each second of the exhibit.
_OPENING, _CHECKING, _REFINING, _HEARING = 0.5, 5.0, 1.0, 1.0
_SCORING_A_SECOND, _HEARING_A_SECOND = 0.1, 0.2
_SEARCHED = 0.2  # where the search for marks ends in a recording of sound alone, and voices begin
_TRIED = 6  # approximate number of frames searched for rotated faces
_SHORT = 15.0  # seconds; for longer videos the second network is compiled only when needed
# Limits on frames decoded ahead: the face search consumes frames in bursts, once a second.
_AHEAD, _AHEAD_BYTES = 16, 96 * 1024 * 1024


def analyze(
    path: str | Path,
    *,
    name: str | None = None,
    parameters: Parameters | None = None,
    model: str | Path | LoadedModel | None = None,
    images: Path | None = None,
    progress: Progress | None = None,
    bounds: InputLimits | None = None,
    fingerprint: Path | None = None,
    also: Sequence[str | Path | LoadedModel] = (),
    joint: JointRule = JointRule.FIRST,
    explain: bool = True,
    publish: Callable[[Analysis], None] | None = None,
) -> Analysis:
    """Analyse the video, photo or recording at ``path``.

    Where faces cannot be examined for an error that is not foreseen, the voices are, and the reason names the
    error; the same holds for voices.

    ``name`` is the exhibit's file name if it differs from that of ``path``. ``model`` is a name in
    ``models/``, a path, or a loaded model; ``also`` are further models that judge the same faces, and
    ``joint`` is the rule of their joint verdict. Frames and overlays of peak frames are written to
    ``images/overlays`` and the perceptual fingerprint to ``fingerprint``, if given. ``progress`` is called
    with a stage and the fraction done; an exception it raises ends the analysis. ``bounds`` limit what the
    file may contain. Without ``explain`` segments have no peaks, and neither heatmaps nor their checks are
    computed, which takes most of the time where something is flagged; all else stays the same. ``publish`` is
    called with the finding as soon as it stands, without peaks, if they follow; its exceptions are raised.

    Raises :class:`~detector.errors.MediaError` for a file that cannot be examined and
    :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    job = _Job(
        Path(path),
        name,
        parameters or Parameters(),
        model,
        images,
        bounds,
        fingerprint,
        OtherModels(also, joint),
        explain,
    )
    share_arenas()
    progress = report = EndingReport(_never_back(progress or (lambda stage, fraction: None)))
    faces_end = None  # as a share of the whole
    explanation = Explanation(images)
    failure: Exception | None = None  # of the examination of pictures
    while True:
        try:
            analysis, explanation = _analyzed(job, progress)
        except PictureGrowsError as grown:
            with open_media(job.path, bounds) as reader:
                job = replace(job, canvas=reader.largest(grown.size))
        except _OnTheirSideError as lying:
            job = replace(job, turn=lying.turn)
        except Exception as problem:
            if problem is report.ending or _is_final(problem):
                raise
            if not isinstance(problem, SoundOnlyError):
                failure = problem
            faces_end = _SEARCHED
            searching = _of_stage(progress, N_("reading"), 0.0, faces_end)
            reason, model = _without_faces(job, problem), job.models()[0]
            try:
                analysis = analyze_recording(
                    job.path, job.name, job.parameters, model, reason, bounds, searching
                )
            except Exception as further:
                if failure is None or further is report.ending:
                    raise
                raise failure from None
            break
        else:
            if not job.turn or analysis.coverage.frames_with_usable_face:
                break
            explanation.resources.close()
            explanation = Explanation(images)
            job = replace(job, turn=0)  # the faces that become upright are not usable
    with explanation.resources:
        if job.parameters.sound and analysis.media.has_sound:
            faces_end = faces_end or _Shares.of(analysis.media.duration, sound=True).faces
            listening = _of_stage(progress, N_("listening to voices"), faces_end, _EXPLAINING)
            voice, explanation.voice = examine_voice(
                job.path, analysis.media, job.parameters, images, listening, bounds
            )
            analysis = analysis.model_copy(update={"voice": voice}).with_examined_sound()
        if failure is not None and (analysis.voice is None or analysis.voice.stream is None):
            raise failure
        if analysis.has_segments:
            analysis = analysis.model_copy(update={"explained": False})
            if explain:
                if publish is not None:
                    publish(analysis)
                analysis = explanation.complete(
                    analysis, _of_stage(progress, N_("explaining"), _EXPLAINING, 1.0)
                )
    progress(N_("finishing"), 1.0)
    return analysis


def _is_final(problem: Exception) -> bool:
    """Return whether no voice is examined either: the file, a model or a parameter was refused."""
    return isinstance(problem, ReelproofError) and not isinstance(
        problem, (SoundOnlyError, PicturesNotReadError)
    )


def _without_faces(job: _Job, problem: Exception) -> Cause:
    """Return why no face was examined; remove what was written of an examination that failed."""
    if isinstance(problem, SoundOnlyError):
        return ReasonCode.NO_PICTURE.cause()
    if job.images:
        shutil.rmtree(job.images / "overlays", ignore_errors=True)
    if job.fingerprint:
        job.fingerprint.unlink(missing_ok=True)
    if isinstance(problem, PicturesNotReadError):
        return ReasonCode.PICTURES_NOT_READ.cause(problem=(cause_of(str(problem)),))
    if isinstance(problem, MemoryError):
        return ReasonCode.FACES_OUT_OF_MEMORY.cause()
    log.error("the faces could not be examined", exc_info=problem)
    return ReasonCode.FACES_ERROR.cause(error=type(problem).__name__)


@dataclass(frozen=True)
class _Shares:
    """Progress at the end of each stage, as a share of the whole."""

    read: float
    scored: float
    checked: float
    faces: float  # where faces end and voices begin

    @classmethod
    def of(cls, duration: float, *, sound: bool) -> _Shares:
        """Share out the time before the finding stands, of an exhibit of ``duration`` seconds."""
        scored = _OPENING + _SCORING_A_SECOND * duration
        faces = scored + _CHECKING + _REFINING
        whole = faces + (_HEARING + _HEARING_A_SECOND * duration if sound else 0.0)
        ends = (_EXPLAINING * cost / whole for cost in (0.5 * _OPENING, scored, scored + _CHECKING, faces))
        return cls(*ends)


class _OnTheirSideError(Exception):
    """Faces are upright only when frames are rotated by ``turn`` clockwise quarter turns."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


def _never_back(progress: Progress) -> Progress:
    """Return a callback that never reports less progress than before, even when work is repeated."""
    highest = 0.0

    def report(stage: str, share: float) -> None:
        nonlocal highest
        highest = max(highest, share)
        progress(stage, highest)

    return report


@dataclass(frozen=True)
class _Job:
    """The arguments of :func:`analyze`, with the size and rotation of frames."""

    path: Path
    name: str | None
    parameters: Parameters
    model: str | Path | LoadedModel | None
    images: Path | None
    bounds: InputLimits | None
    fingerprint: Path | None
    others: OtherModels
    explain: bool
    canvas: Size | None = None
    """Width and height of all frames, where the first one is not the largest."""
    turn: int | None = None
    """Clockwise quarters by which frames are turned; None: as stored, unless faces lie on their side then."""

    def models(self) -> tuple[LoadedModel, list[LoadedModel]]:
        """Return the primary model and the further models, without second look if it is disabled."""
        loaded = self.model if isinstance(self.model, LoadedModel) else load_model(self.model)
        if not self.parameters.second_look:
            loaded = loaded.alone
        return loaded, self.others.loaded(loaded, self.parameters)


def _analyzed(job: _Job, progress: Progress) -> tuple[Analysis, Explanation]:
    """Analyse with the frame size and rotation of ``job``; return the finding, and what explains it later.

    Raises :class:`PictureGrowsError` or :class:`_OnTheirSideError` if another size or rotation is needed;
    :func:`analyze` then starts again. The detections gain data stage by stage: scan logits, fused logits,
    frames around the ends of segments, smoothed probabilities.
    """
    progress(N_("reading"), 0.0)
    with ExitStack() as resources:
        reader = resources.enter_context(_opened(job))
        parameters, still = job.parameters, reader.kind is MediaKind.IMAGE
        shares = _Shares.of(reader.expected_duration or 0.0, sound=parameters.sound and reader.has_sound)
        loaded, others = job.models()
        scorer, *other_scorers = [
            Scorer(model, still=still, codec=reader.codec) for model in (loaded, *others)
        ]
        size, digest = hash_file(job.path)
        seconds = [model.second_look for model in (loaded, *others) if model.second_look is not None]
        windows = any(second.parts for second in seconds)
        keeper = MomentKeeper(parameters.second_look, still=still, windows=windows) if seconds else None
        prepare = _preparation(reader, loaded, scorer)
        first_pass = FirstPass(
            reader, parameters, scorer, keeper=keeper, others=other_scorers, on_first_face=prepare
        )
        marks = MarkWatch(reader)
        meter = EnlargementMeter(reader.expected_duration)
        photo, (first_pass_result, *other_results) = _run_first_pass(
            job, reader, first_pass, parameters, marks, meter, shares, progress
        )
        if job.turn is None and (turn := _turn_wanted(first_pass_result, reader, parameters)):
            raise _OnTheirSideError(turn)
        if keeper is not None and loaded.second_look is not None:
            scorer = _look_at_persons(
                loaded,
                scorer,
                first_pass_result,
                keeper,
                parameters,
                _of_stage(progress, N_("second check"), shares.scored, shares.checked),
            )
        if not still:
            report_refining = _of_stage(
                progress, N_("finding where segments begin and end"), shares.checked, shares.faces
            )
            refined = refine_boundaries(first_pass_result, reader, scorer, parameters, report_refining)
            first_pass_result = replace(first_pass_result, detections=refined)
        if parameters.sound:
            marks.search_sound(job.path, job.bounds)
        facts = media_facts(reader, printable_name(job.name or job.path.name), size, digest)
        facts = facts.model_copy(update={"enlarged": meter.factor})
        media, declarations = add_metadata(
            facts, reader, job.path, marks.texts, marks.declarations(), marks.readers
        )
        analysis, findings = conclude(first_pass_result, media, missing_seconds(reader), scorer, parameters)
        models = [Explainable(findings.candidates, scorer)]
        updates: dict[str, object] = {"declarations": declarations, "marks": marks.search}
        updates |= _pictures(job, photo, reader.width, analysis)
        if others:
            other_verdicts = OtherVerdicts(analysis, keeper)
            fields, of_others = other_verdicts.judge_all(other_results, other_scorers, job.others.rule)
            updates |= fields
            models += of_others
            updates["software"] = extend_command(
                analysis, [model.command_name for model in others], job.others.rule
            )
        explanation = Explanation(job.images, models, reader)
        if not explanation or not job.explain:
            return analysis.model_copy(update=updates), Explanation(job.images)
        explanation.resources = resources.pop_all()
        return analysis.model_copy(update=updates), explanation


@contextmanager
def _opened(job: _Job) -> Iterator[MediaReader]:
    """Open the exhibit with the frame size and rotation of the job."""
    with open_media(job.path, job.bounds) as reader:
        reader.turned = job.turn or 0
        reader.canvas = job.canvas[::-1] if job.canvas and reader.turned % 2 else job.canvas
        reader.refuses_growth = job.canvas is None and reader.kind is MediaKind.VIDEO
        yield reader


def _of_stage(progress: Progress, stage: str, start: float, end: float) -> ReportShare:
    """Return a progress callback for one stage, which spans ``start`` to ``end`` of the whole."""
    return lambda share: progress(stage, start + (end - start) * share)


def _look_at_persons(
    loaded: LoadedModel,
    scan: Scorer,
    result: FirstPassResult,
    keeper: MomentKeeper,
    parameters: Parameters,
    report: ReportShare,
) -> Scorer:
    """Run the second look, replace the logits of the detections, and return the scorer that decides."""
    release_memory()  # memory peaks with the second network, so fragmented memory is returned before
    scorer = run_second_look(loaded, scan, result, keeper, parameters, report)
    fill_in_fused(result.detections, scorer)
    release_memory()  # memory that compiling took
    return scorer


def _pictures(job: _Job, photo: Image | None, width: int, analysis: Analysis) -> dict[str, object]:
    """Write a photo, decoded at ``width`` px, with its faces boxed; return the fields with the paths."""
    if photo is None or not job.images:
        return {}
    flagged = flagged_persons(analysis.persons, analysis.segments)
    with never_rounding_up_to(*analysis.parameters.thresholds):
        write_boxed(job.images, photo, width, analysis.persons, flagged)
    return {"picture": PHOTO, "boxed": BOXED}


def _run_first_pass(
    job: _Job,
    reader: MediaReader,
    first_pass: FirstPass,
    parameters: Parameters,
    marks: MarkWatch,
    meter: EnlargementMeter,
    shares: _Shares,
    progress: Progress,
) -> tuple[Image | None, list[FirstPassResult]]:
    """Feed all sampled frames to the first pass, the search for hidden marks, and the fingerprint.

    Returns the stored picture of a photo, if any, and the first-pass results of the primary and each further
    model.
    """
    still = reader.kind is MediaKind.IMAGE
    # The fingerprint describes the picture as stored, not as rotated to find faces.
    sampler = FingerprintSampler(still=still) if job.fingerprint and not reader.turned else None
    photo = None
    sampled = reader.frames(parameters.sample_rate, all_decoded=not parameters.skip_unreferenced)
    with prefetch(first_pass.with_cuts(sampled), _depth(reader)) as frames:
        for frame, is_cut in frames:
            first_pass.process_frame(frame, is_cut)
            marks.process_frame(frame)
            if not still:
                meter.process_frame(frame)
            if sampler is not None:
                sampler.process_frame(frame)
            if still and job.images:
                photo = write_photo(job.images, frame.image)
            share = float(frame.time) / reader.expected_duration if reader.expected_duration else 0.0
            progress(
                N_("finding and scoring faces"), shares.read + (shares.scored - shares.read) * min(1.0, share)
            )
    results = first_pass.post_process()
    if job.fingerprint and sampler is not None and (fingerprint := sampler.finish(reader)):
        write_atomically(job.fingerprint, fingerprint.to_bytes(), durable=False)
    return photo, results


def _preparation(reader: MediaReader, loaded: LoadedModel, scorer: Scorer) -> Callable[[], None] | None:
    """Return a function that compiles the networks during face search; None if that does not pay off.

    It pays off for photos and short videos, whose first pass takes no longer than compiling. For a long video
    the second network would occupy memory beside the frames.
    """
    second = loaded.second_look
    if reader.expected_duration > _SHORT:
        return None
    if second is None or any(map(needs_torch, (loaded, *second.graphs))):
        return None
    second_backends = [open_backend(part, scorer.requested_backend) for part in second.graphs]

    def prepare_second() -> None:
        for backend in second_backends:
            backend.get_ready()

    def get_ready() -> None:
        # In a separate thread, because this one continues with the scan.
        threading.Thread(target=prepare_second, name="second-network").start()
        scorer.backend.get_ready()

    return get_ready


def _turn_wanted(result: FirstPassResult, reader: MediaReader, parameters: Parameters) -> int:
    """Return the number of clockwise quarter turns after which faces are upright; 0 if none helps."""
    if not may_be_rotated(result.detections):
        return 0
    still = reader.kind is MediaKind.IMAGE
    return find_upright_turn(_spread_frames(reader, result.times), parameters, still=still)


def _spread_frames(reader: MediaReader, times: Sequence[float]) -> Iterator[Image]:
    """Read about six of the sampled frames again."""
    first_pts = reader.tally.first_pts or 0
    chosen = times[:: max(1, len(times) // _TRIED)]
    pts = {first_pts + round(Fraction(time) / reader.time_base) for time in chosen}
    return (frame.image for frame in reader.at(pts))


def _depth(reader: MediaReader) -> int:
    """Return how many frames may be decoded ahead; fewer for larger frames."""
    picture = reader.stream.codec_context
    return max(1, min(_AHEAD, _AHEAD_BYTES // max(1, 3 * picture.width * picture.height)))


def conclude(
    result: FirstPassResult,
    media: Media,
    missing: float,
    scorer: Scorer,
    parameters: Parameters,
) -> tuple[Analysis, ModelFindings]:
    """Build the analysis from a scored first pass, and return the findings it is made of.

    ``missing`` is the number of seconds by which the file ends early. Segments have no peaks yet.
    """
    coverage = measure_coverage(result, media, missing, parameters.sample_rate)
    findings = judge(result, scorer, parameters, media, coverage)
    verdict, persons, segments = findings.verdict, findings.persons, findings.segments
    analysis = Analysis(
        answers=findings.answers,
        stability=exhibit_stability(verdict, persons, segments),
        verdict=verdict,
        kind=manipulation_kind(verdict, persons, segments),
        causes=(*findings.causes, *unexamined_causes(media, missing)),
        probability=findings.probability,
        segments=segments,
        persons=persons,
        media=media,
        model=scorer.card.as_model(),
        parameters=parameters,
        coverage=coverage,
        software=describe_software(
            scorer.backend,
            BATCH,
            timestamps.iso_seconds(datetime.now(UTC)),
            media.file,
            scorer.loaded.command_name,
            parameters,
        ),
    )
    return analysis, findings


_CROPS = 2  # networks are compiled for a batch size; a photograph starts with this one


def preload(model: str | Path | None = None) -> LoadedModel:
    """Load a model and run its networks once, before the exhibit is known.

    ``model`` is a name or the path of a card. Raises :class:`~detector.errors.ModelError` for one that cannot
    be used.
    """
    loaded = load_model(model)
    second = loaded.second_look
    for network in (loaded, *(() if second is None else second.graphs)):
        size = network.card.input.size
        open_backend(network).run(np.full((_CROPS, size, size, 3), 128, np.uint8))
    FaceDetector()(np.zeros((64, 64, 3), np.uint8))
    libraries(), source_sha256()  # both cache their result
    return loaded


def preload_heatmaps(loaded: LoadedModel) -> None:
    """Load what only findings need: graphs of heatmaps, or torch with its networks and Grad-CAM."""
    if loaded.card.onnx:
        return  # heatmaps of ONNX models are made by occlusion
    explained = [explaining_graphs(model) for model in (loaded, loaded.second_look) if model is not None]
    for ready in explained:
        if ready is not None:
            ready.get_ready()
    if None in explained:
        import detector.explain.grad_cam  # noqa: F401

        loaded.make_networks()

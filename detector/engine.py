"""Run one analysis from end to end: the stages in order, each from its own package."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

import detector.engine  # noqa: F401 - brings all that an analysis imports
from detector import timestamps
from detector.backends.selection import needs_torch, open_backend
from detector.environment import describe_software, extend_command, libraries, source_sha256
from detector.explain.overlays import BOXED, PHOTO, write_boxed, write_photo
from detector.faces.search.networks import FaceDetector
from detector.faces.search.photos import find_upright_turn, may_be_rotated
from detector.files import hash_file, write_atomically
from detector.findings import OtherModels, OtherVerdicts, judge
from detector.fingerprint.sampling import FingerprintSampler
from detector.media.acceptance import InputLimits
from detector.media.completeness import missing_seconds
from detector.media.frame import Image, Size
from detector.media.open import open_media
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader, PictureGrowsError
from detector.metadata.exhibit import add_metadata, media_facts
from detector.models.loaded import LoadedModel, load_model
from detector.process.resources import release_memory, share_arenas
from detector.progress import Progress, ReportShare
from detector.schema.analysis import Analysis, Media, MediaKind, Parameters, Segment
from detector.schema.formatting import never_rounding_up_to, printable_name
from detector.schema.method import JointRule
from detector.scoring.first_pass import BATCH, FirstPass, FirstPassResult
from detector.scoring.moments import MomentKeeper
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import fill_in_fused, look_again
from detector.segments.boundaries import refine_boundaries
from detector.segments.candidates import Candidate
from detector.segments.explained_peaks import explain_peaks
from detector.verdict.coverage import coverage_of, not_seen
from detector.verdict.judged_persons import flagged_persons, manipulation_kind
from detector.verdict.verdict import exhibit_stability

# Share of the whole that is done at the end of a stage, for the progress bar.
_READ, _SCORED, _LOOKED, _REFINED = 0.03, 0.80, 0.90, 0.93
_TRIED = 6  # frames in which turned faces are looked for, about
_SHORT = 15.0  # seconds: of a longer video the second network is compiled only when it is needed
# Frames decoded ahead of the search for faces, at most: that comes in bursts, once a second.
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
) -> Analysis:
    """Analyse the video or photo at ``path``.

    ``name`` is the exhibit's own file name where ``path`` is not; ``model`` a name in
    ``models/``, a path, or one already loaded. Frames and overlays of peak frames are
    written below ``images`` if given, as ``overlays/*.png``. ``progress`` is called with
    a stage and the fraction of the whole done, 0 to 1; what it raises ends the analysis.
    ``bounds`` are how much of what the file may hold. The perceptual fingerprint of the frames that are
    decoded is written to ``fingerprint`` if given, once all of them were seen. ``also`` are further models,
    which judge the same faces, called *others* from here on; ``joint`` is the rule of their joint verdict.

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
    )
    share_arenas()
    progress = _never_back(progress or (lambda stage, fraction: None))
    while True:
        try:
            analysis = _analyzed(job, progress)
        except PictureGrowsError as grown:
            with open_media(job.path, bounds) as reader:
                job = replace(job, canvas=reader.largest(grown.size))
        except _OnTheirSideError as lying:
            job = replace(job, turn=lying.turn)
        else:
            if not job.turn or analysis.coverage.frames_with_usable_face:
                break
            job = replace(job, turn=0)  # what stands upright then is not worth judging
    progress("finishing", 1.0)
    return analysis


class _OnTheirSideError(Exception):
    """The faces of an exhibit stand upright when its frames are turned by ``turn`` clockwise quarters."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


def _never_back(progress: Progress) -> Progress:
    """The same, told no smaller share than before where a part of the work is done anew."""
    reached = 0.0

    def told(stage: str, share: float) -> None:
        nonlocal reached
        reached = max(reached, share)
        progress(stage, reached)

    return told


@dataclass(frozen=True)
class _Job:
    """What :func:`analyze` was asked for."""

    path: Path
    name: str | None
    parameters: Parameters
    model: str | Path | LoadedModel | None
    images: Path | None
    bounds: InputLimits | None
    fingerprint: Path | None
    others: OtherModels
    canvas: Size | None = None
    """Width and height of all frames, where the first one is not the largest."""
    turn: int | None = None
    """Clockwise quarters by which frames are turned; None: as stored, unless faces lie on their side then."""

    def models(self) -> tuple[LoadedModel, list[LoadedModel]]:
        """The model that decides, and the others; without its second look where none is wanted."""
        loaded = self.model if isinstance(self.model, LoadedModel) else load_model(self.model)
        if not self.parameters.second_look:
            loaded = loaded.alone
        return loaded, self.others.loaded(loaded, self.parameters)


def _analyzed(job: _Job, progress: Progress) -> Analysis:
    """The analysis with frames of the size and turned the way that ``job`` says.

    Raises :class:`PictureGrowsError` or :class:`_OnTheirSideError` where these have to be others: then
    :func:`analyze` begins again. The stages are in order. Each leaves ``found`` with more: faces with logits,
    then fused ones in their place, then those of the frames around the ends of segments, then smoothed
    probabilities.
    """
    progress("reading", 0.0)
    with _opened(job) as reader:
        parameters, still = job.parameters, reader.kind is MediaKind.IMAGE
        loaded, others = job.models()
        scorer, *other_scorers = [Scorer(one, still=still, codec=reader.codec) for one in (loaded, *others)]
        size, digest = hash_file(job.path)
        looking = any(one.second_look is not None for one in (loaded, *others))
        keeper = MomentKeeper(parameters.second_look, still=still) if looking else None
        prepare = _preparation(reader, loaded, scorer)
        first_pass = FirstPass(
            reader, parameters, scorer, keeper=keeper, others=other_scorers, on_first_face=prepare
        )
        photo, (found, *found_by_others) = _run_first_pass(job, reader, first_pass, parameters, progress)
        if job.turn is None and (turn := _turn_wanted(found, reader, parameters)):
            raise _OnTheirSideError(turn)
        if keeper is not None and loaded.second_look is not None:
            scorer = _look_at_persons(loaded, scorer, found, keeper, parameters, progress)
        if not still:
            refine = _of_stage(progress, "finding where segments begin and end", _LOOKED, _REFINED)
            refined = refine_boundaries(found, reader, scorer, parameters, refine)
            found = replace(found, detections=refined)
        facts = media_facts(reader, printable_name(job.name or job.path.name), size, digest)
        media, declared = add_metadata(facts, reader, job.path)
        show = _of_stage(progress, "explaining", _REFINED, 1.0)

        def explained(candidates: Sequence[Candidate]) -> tuple[Segment, ...]:
            return explain_peaks(candidates, reader, scorer, job.images, parameters.seed, show)

        analysis = conclude(found, media, missing_seconds(reader), scorer, parameters, explained)
        added: dict[str, object] = {"declarations": declared} | _pictures(job, photo, reader.width, analysis)
        if others:
            judging = OtherVerdicts(analysis, keeper, reader, job.images)
            added |= judging.fields(found_by_others, other_scorers, job.others.rule)
            added["software"] = extend_command(
                analysis, [one.command_name for one in others], job.others.rule
            )
        return analysis.model_copy(update=added)


@contextmanager
def _opened(job: _Job) -> Iterator[MediaReader]:
    """The exhibit, whose frames come as large and turned as the job says."""
    with open_media(job.path, job.bounds) as reader:
        reader.turned = job.turn or 0
        reader.canvas = job.canvas[::-1] if job.canvas and reader.turned % 2 else job.canvas
        reader.refuses_growth = job.canvas is None and reader.kind is MediaKind.VIDEO
        yield reader


def _of_stage(progress: Progress, stage: str, start: float, end: float) -> ReportShare:
    """A callback for ``stage`` alone, which goes from ``start`` to ``end`` of the whole."""
    return lambda share: progress(stage, start + (end - start) * share)


def _look_at_persons(
    loaded: LoadedModel,
    scan: Scorer,
    found: FirstPassResult,
    keeper: MomentKeeper,
    parameters: Parameters,
    progress: Progress,
) -> Scorer:
    """The scorer that decides after the second look, whose logits are then those of ``found``."""
    release_memory()  # with the second network an analysis holds most: what it finds free is in pieces
    looked = _of_stage(progress, "looking again", _SCORED, _LOOKED)
    scorer = look_again(loaded, scan, found, keeper, parameters, looked)
    fill_in_fused(found.detections, scorer)
    release_memory()  # what compiling it took
    return scorer


def _pictures(job: _Job, photo: Image | None, width: int, analysis: Analysis) -> dict[str, object]:
    """Write a photo, decoded at ``width`` px, with its faces boxed; the fields that name both pictures."""
    if photo is None or not job.images:
        return {}
    flagged = flagged_persons(analysis.persons, analysis.segments)
    with never_rounding_up_to(*analysis.parameters.thresholds):
        write_boxed(job.images, photo, width, analysis.persons, flagged)
    return {"picture": PHOTO, "boxed": BOXED}


def _run_first_pass(
    job: _Job, reader: MediaReader, first_pass: FirstPass, parameters: Parameters, progress: Progress
) -> tuple[Image | None, list[FirstPassResult]]:
    """Put all sampled frames through ``first_pass`` and the fingerprint.

    Returns the picture of a photo as it was kept, if it was, and the results of the first pass: by the first
    model, then by each of the others.
    """
    still = reader.kind is MediaKind.IMAGE
    # The fingerprint is of the picture as the file means it, not as it was turned to find faces.
    sampler = FingerprintSampler(still=still) if job.fingerprint and not reader.turned else None
    photo = None
    sampled = reader.frames(parameters.sample_rate, all_decoded=not parameters.skip_unreferenced)
    with prefetch(first_pass.with_cuts(sampled), _depth(reader)) as frames:
        for frame, is_cut in frames:
            first_pass.process_frame(frame, is_cut)
            if sampler is not None:
                sampler.process_frame(frame)
            if still and job.images:
                photo = write_photo(job.images, frame.image)
            done = float(frame.time) / reader.expected_duration if reader.expected_duration else 0.0
            progress("finding and scoring faces", _READ + (_SCORED - _READ) * min(1.0, done))
    results = first_pass.post_process()
    if job.fingerprint and sampler is not None and (made := sampler.finish(reader)):
        write_atomically(job.fingerprint, made.to_bytes(), durable=False)
    return photo, results


def _preparation(reader: MediaReader, loaded: LoadedModel, scorer: Scorer) -> Callable[[], None] | None:
    """What compiles the networks while faces are still looked for; None where that does not pay.

    Of a photo or a short video the first pass takes no longer than compiling. Of a long one the time saved
    does not count, and the second network would lie in memory beside the frames.
    """
    second = loaded.second_look
    if reader.expected_duration > _SHORT:
        return None
    if second is None or needs_torch(loaded) or needs_torch(second):
        return None
    of_second = open_backend(second, scorer.requested_backend)

    def get_ready() -> None:
        # In a thread of its own: this one goes on to score with the scan.
        threading.Thread(target=of_second.get_ready, name="second-network").start()
        scorer.backend.get_ready()

    return get_ready


def _turn_wanted(found: FirstPassResult, reader: MediaReader, parameters: Parameters) -> int:
    """By how many clockwise quarters the frames should be turned, so that their faces stand upright.

    0 where they do, or turning helps nothing.
    """
    if not may_be_rotated(found.detections):
        return 0
    still = reader.kind is MediaKind.IMAGE
    return find_upright_turn(_spread_frames(reader, found.times), parameters, still=still)


def _spread_frames(reader: MediaReader, times: Sequence[float]) -> Iterator[Image]:
    """About six of the sampled frames, read again."""
    first_pts = reader.tally.first_pts or 0
    chosen = times[:: max(1, len(times) // _TRIED)]
    wanted = {first_pts + round(Fraction(time) / reader.time_base) for time in chosen}
    return (frame.image for frame in reader.at(wanted))


def _depth(reader: MediaReader) -> int:
    """How many frames may be decoded ahead: the larger they are, the fewer."""
    picture = reader.stream.codec_context
    return max(1, min(_AHEAD, _AHEAD_BYTES // max(1, 3 * picture.width * picture.height)))


def conclude(
    found: FirstPassResult,
    media: Media,
    missing: float,
    scorer: Scorer,
    parameters: Parameters,
    explained: Callable[[Sequence[Candidate]], tuple[Segment, ...]],
) -> Analysis:
    """What a first pass ``found`` in an exhibit, already scored, amounts to.

    ``missing`` is the number of seconds its file breaks off early; ``explained`` makes segments
    of candidates.
    """
    coverage = coverage_of(found, media, missing, parameters.sample_rate)
    judged = judge(found, scorer, parameters, media, coverage, explained)
    verdict, persons, segments = judged.verdict, judged.persons, judged.segments
    return Analysis(
        answers=judged.answers,
        stability=exhibit_stability(verdict, persons, segments),
        verdict=verdict,
        kind=manipulation_kind(verdict, persons, segments),
        reason=" ".join([judged.reason, *not_seen(media, missing)]),
        probability=judged.probability,
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


_CROPS = 2  # as a photograph has at first: networks are made ready for the number they are given


def preload(model: str | Path | None = None) -> LoadedModel:
    """A model whose networks have run once, for the argument ``model`` of :func:`detector.engine.analyze`.

    ``model`` is a name, or the path of a card. Raises :class:`~detector.errors.ModelError` for one that
    cannot be used.
    """
    loaded = load_model(model)
    for one in (loaded, loaded.second_look):
        if one is not None:
            size = one.card.input.size
            open_backend(one).run(np.full((_CROPS, size, size, 3), 128, np.uint8))
    FaceDetector()(np.zeros((64, 64, 3), np.uint8))
    libraries(), source_sha256()  # kept by both
    return loaded


def preload_heatmaps(loaded: LoadedModel) -> None:
    """What only findings need: torch with its networks, and Grad-CAM."""
    if loaded.card.onnx:
        return  # whose heatmaps are made by occlusion
    import detector.explain.grad_cam  # noqa: F401

    loaded.make_networks()

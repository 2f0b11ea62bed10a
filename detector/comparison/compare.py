"""Run one comparison from end to end, also in a confined process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from detector import timestamps
from detector.comparison import statements
from detector.comparison.affine_view import AffineView
from detector.comparison.face_differences import PersonTracker
from detector.comparison.locate import Located, locate
from detector.comparison.pictures import frame_pairs, sample_pairs, write_peaks
from detector.comparison.refine import FramePair, Refined, reduce_grey, refine_view
from detector.comparison.region_differences import find_regions
from detector.comparison.result import (
    build_region,
    describe_transform,
    file_facts,
    find_gaps,
    find_segments,
    time_pieces,
)
from detector.comparison.similarity import NOWHERE
from detector.comparison.strips import Strip, read_strip
from detector.comparison.time_map import TimeMap
from detector.environment import libraries
from detector.errors import MediaError
from detector.faces.search.networks import FaceDetector
from detector.media.acceptance import InputLimits
from detector.media.frame import Frame
from detector.media.open import open_media
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import MediaKind
from detector.schema.causes.cause import Cause, join
from detector.schema.comparison import (
    ComparedFile,
    ComparedPeak,
    ComparedPerson,
    ComparedSegment,
    Comparison,
    ComparisonParameters,
    Region,
    TimePiece,
    Transform,
    UnmatchedInterval,
)
from detector.schema.formatting import N_, Message
from detector.version import __version__

RELATED = 0.5
"""Minimum similarity of the surroundings at the refined view for files that show the same picture."""
_FOUND, _REFINED, _COMPARED = 0.45, 0.5, 0.95
_THREADS = 2  # threads that measure pairs of frames
_PAIRS = 6  # number of frames for refining the view
_FACE_ROOM = 0.15  # margin of a face's box that is ignored for the view


def compare(
    exhibit: str | Path,
    reference: str | Path,
    *,
    names: tuple[str, str] | None = None,
    parameters: ComparisonParameters | None = None,
    images: Path | None = None,
    progress: Progress | None = None,
    bounds: InputLimits | None = None,
) -> Comparison:
    """Compare ``exhibit`` with ``reference``, both paths of a video or photo.

    ``names`` are their file names if the paths differ. Pictures of peak moments are written below ``images``
    if given. ``progress`` is called with a stage and the fraction done.

    Raises :class:`~detector.errors.MediaError`, naming the file that cannot be read.
    """
    paths = Path(exhibit), Path(reference)
    return _Comparing(
        paths,
        names or (paths[0].name, paths[1].name),
        parameters or ComparisonParameters(),
        images,
        progress or (lambda stage, fraction: None),
        bounds,
    ).run()


@dataclass(frozen=True)
class _Found:
    """The common parts of two related files, and their differences."""

    time_map: tuple[TimePiece, ...] = ()
    gaps: tuple[UnmatchedInterval, ...] = ()
    transform: Transform | None = None
    persons: tuple[ComparedPerson, ...] = ()
    segments: tuple[ComparedSegment, ...] = ()
    regions: tuple[Region, ...] = ()
    example: ComparedPeak | None = None
    not_compared: tuple[Cause, ...] = ()


@dataclass(frozen=True, eq=False)
class _Matched:
    """Both opened files, their strips, and the reference's frame for each frame of the exhibit."""

    exhibit: MediaReader
    reference: MediaReader
    exhibit_strip: Strip
    reference_strip: Strip
    times: TimeMap


@dataclass(frozen=True)
class _Comparing:
    """The arguments of :func:`compare`."""

    paths: tuple[Path, Path]
    names: tuple[str, str]
    parameters: ComparisonParameters
    images: Path | None
    progress: Progress
    bounds: InputLimits | None

    def run(self) -> Comparison:
        readers = []
        with ExitStack() as stack:
            for name, path in zip(self.names, self.paths, strict=True):
                with _about(name):
                    readers.append(stack.enter_context(open_media(path, self.bounds)))
            exhibit, reference = readers
            if exhibit.kind is MediaKind.VIDEO and reference.kind is MediaKind.IMAGE:
                raise MediaError(
                    N_(
                        "%(photo)s is a photo and %(video)s is a video. Compare the photo with the "
                        "video: name the photo first."
                    )
                    % {"photo": self.names[1], "video": self.names[0]}
                )
            exhibit_strip, location = self._located(exhibit, reference)
            files = [
                file_facts(reader, strip, name, path)
                for reader, strip, name, path in zip(
                    readers, (exhibit_strip, location.strip), self.names, self.paths, strict=True
                )
            ]
            return self._compared(exhibit, reference, exhibit_strip, location, files[0], files[1])

    def _located(self, exhibit: MediaReader, reference: MediaReader) -> tuple[Strip, Located]:
        """Return the exhibit's strip, and the part of the reference it shows."""
        with _about(self.names[0]):
            exhibit_strip = _with_frames(
                read_strip(exhibit, lambda share: self.progress(N_("reading the exhibit"), 0.1 * share))
            )
        with _about(self.names[1]):
            location = locate(
                exhibit_strip,
                reference,
                lambda share: self.progress(
                    N_("finding what the exhibit shows of the reference"), 0.1 + (_FOUND - 0.1) * share
                ),
            )
            _with_frames(location.strip)
        return exhibit_strip, location

    def _compared(
        self,
        exhibit: MediaReader,
        reference: MediaReader,
        exhibit_strip: Strip,
        location: Located,
        exhibit_file: ComparedFile,
        reference_file: ComparedFile,
    ) -> Comparison:
        view, times = location.view, location.times
        if view is None or times is None:
            return self._finished(self._result(exhibit_file, reference_file, None))
        pairing = _Matched(exhibit, reference, exhibit_strip, location.strip, times)
        self.progress(N_("finding how its picture lies in the reference's"), _FOUND)
        refinement = _refined(pairing, view)
        if not times.pieces or refinement is None or refinement.similarity < RELATED:
            return self._finished(self._result(exhibit_file, reference_file, None))
        tracker = self._tracked(pairing, refinement)
        persons, segments = find_segments(tracker, self.parameters)
        regions = find_regions(tracker.grids, exhibit_strip.size, self.parameters.minimum_duration)
        comparison = self._result(
            exhibit_file,
            reference_file,
            _Found(
                time_map=tuple(time_pieces(exhibit_strip, pairing.reference_strip, times)),
                gaps=tuple(
                    find_gaps(exhibit_file, reference_file, exhibit_strip, pairing.reference_strip, times)
                ),
                transform=describe_transform(refinement, exhibit_strip.size, pairing.reference_strip.size),
                persons=persons,
                segments=segments,
                regions=tuple(
                    build_region(tracker.pairs, number, found_region)
                    for number, found_region in enumerate(regions, start=1)
                ),
                example=None if segments or regions else tracker.closest(exhibit_strip.size),
                not_compared=tuple(tracker.remarks()),
            ),
        )
        self.progress(N_("drawing"), _COMPARED)
        if self.images is not None:
            comparison = write_peaks(comparison, exhibit, reference, refinement.view, self.images)
        return self._finished(comparison)

    def _tracked(self, pairing: _Matched, refinement: Refined) -> PersonTracker:
        """Compare frame by frame."""
        exhibit_strip, times = pairing.exhibit_strip, pairing.times
        pts_pairs = sample_pairs(exhibit_strip, pairing.reference_strip, times, self.parameters.sample_rate)
        starts = [int(exhibit_strip.pts[piece.first]) for piece in times.pieces[1:]]
        breaks = {next((pts for pts, _ in pts_pairs if pts >= start), start) for start in starts}
        with (
            ThreadPoolExecutor(_THREADS, thread_name_prefix="measuring") as executor,
            prefetch(frame_pairs(pairing.exhibit, pairing.reference, pts_pairs), 2) as pairs,
        ):
            kind = pairing.exhibit.kind
            tracker = PersonTracker(refinement.view, refinement.shown, self.parameters, kind, executor)
            for number, (seen_frame, known_frame) in enumerate(pairs):
                tracker.process(seen_frame, known_frame, seen_frame.pts in breaks)
                share = (_COMPARED - _REFINED) * number / len(pts_pairs)
                self.progress(N_("comparing faces and surroundings"), _REFINED + share)
            tracker.finish()
        return tracker

    def _finished(self, comparison: Comparison) -> Comparison:
        self.progress(N_("finishing"), 1.0)
        causes = tuple(statements.summary(comparison))
        return comparison.model_copy(update={"statement": join(causes), "causes": causes})

    def _result(
        self, exhibit_file: ComparedFile, reference_file: ComparedFile, findings: _Found | None
    ) -> Comparison:
        """Build the result without its statement; ``findings`` is None for unrelated files."""
        result = findings or _Found()
        limits = statements.LIMITS if findings else statements.UNRELATED_LIMITS
        return Comparison(
            related=findings is not None,
            statement="",
            limits=limits.text,
            limits_cause=limits,
            exhibit=exhibit_file,
            reference=reference_file,
            time_map=result.time_map,
            gaps=result.gaps,
            transform=result.transform,
            persons=result.persons,
            segments=result.segments,
            regions=result.regions,
            example=result.example,
            not_compared=tuple(remark.text for remark in result.not_compared),
            not_compared_causes=result.not_compared,
            parameters=self.parameters,
            reelproof=__version__,
            created=timestamps.iso_seconds(datetime.now(UTC)),
            libraries=libraries(),
        )


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Prefix errors of one of the two files with its name."""
    try:
        yield
    except MediaError as error:
        raise MediaError(Message("%(file)s: %(problem)s") % {"file": name, "problem": str(error)}) from None


def _with_frames(strip: Strip) -> Strip:
    if not len(strip):
        raise MediaError(
            N_("No frame could be decoded. Play the file in a video player to see what is wrong.")
        )
    return strip


def _refined(pairing: _Matched, view: AffineView) -> Refined | None:
    """Refine the view with a few pairs of frames spread over the shown part; None if that fails."""
    exhibit, reference, places = pairing.exhibit, pairing.reference, pairing.times.places
    matches = np.flatnonzero(places != NOWHERE)
    if not len(matches):
        return None
    # From each part take the pair of frames that needs the least decoding.
    pts_pairs = []
    for part in np.array_split(matches, min(len(matches), _PAIRS)):
        pairs = [
            (int(pairing.exhibit_strip.pts[at]), int(pairing.reference_strip.pts[places[at]])) for at in part
        ]
        pts_pairs.append(
            min(pairs, key=lambda pair: exhibit.since_key(pair[0]) + reference.since_key(pair[1]))
        )
    detect = FaceDetector()
    frames = [
        _pair(seen_frame, known_frame, detect)
        for seen_frame, known_frame in frame_pairs(exhibit, reference, pts_pairs)
    ]
    return refine_view(view, frames) if frames else None


def _pair(seen_frame: Frame, known_frame: Frame, detect: FaceDetector) -> FramePair:
    """Prepare two frames for :func:`refine_view`, with the faces of the exhibit hidden."""
    grey = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in (seen_frame, known_frame)]
    small = [reduce_grey(image) for image in grey]
    face_mask = np.zeros(small[0].shape, bool)
    scale = small[0].shape[1] / grey[0].shape[1]
    for face in detect(seen_frame.image):
        x0, y0, x1, y1 = face.box
        dx, dy = _FACE_ROOM * (x1 - x0), _FACE_ROOM * (y1 - y0)
        left, top, right, bottom = (round(v * scale) for v in (x0 - dx, y0 - dy, x1 + dx, y1 + dy))
        face_mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    if face_mask.mean() > 0.8:  # a face fills the frame, so use it
        face_mask[:] = False
    sizes = tuple((image.shape[1], image.shape[0]) for image in grey)
    return FramePair(small[0], small[1], (sizes[0], sizes[1]), face_mask)


RESULT = "comparison.json"


def compare_confined(
    exhibit: Path,
    reference: Path,
    folder: Path,
    *,
    names: tuple[str, str] | None = None,
    parameters: ComparisonParameters | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Run :func:`compare` in a confined process, with its files in the empty ``folder``.

    Also raises the errors of :mod:`detector.sandbox` for a file that exceeds its limits or crashes the
    process.
    """
    paths = exhibit.absolute(), reference.absolute()
    folder = folder.absolute()
    settings = (parameters or ComparisonParameters()).model_dump_json()
    with Sandbox(
        _compared,
        *paths,
        names or (paths[0].name, paths[1].name),
        settings,
        folder,
        limits=limits or limits_of_environment(),
        places=AllowedPaths(readable=paths, writable=(folder,)),
        modules=("detector.comparison.compare",),
    ) as sandbox:
        sandbox.result(progress)
    refuse_links(folder)
    return Comparison.from_json((folder / RESULT).read_bytes())


def _compared(
    exhibit: Path, reference: Path, names: tuple[str, str], parameters: str, folder: Path, report: Progress
) -> None:
    comparison = compare(
        exhibit,
        reference,
        names=names,
        parameters=ComparisonParameters.model_validate_json(parameters),
        images=folder,
        progress=report,
    )
    (folder / RESULT).write_text(comparison.to_json(), encoding="utf-8")

"""Compute a heatmap for every sampled frame of a segment, on request after the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from detector.errors import MediaError, ModelError
from detector.explain.heatmaps import Explained, shown_map
from detector.explain.overlays import heat_layer, visible_levels, write_png
from detector.faces.crop import CropSquare, Face, crop_square, head_square, roll
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.faces.search.networks import FaceDetector
from detector.faces.windows import cut_windows
from detector.files import hash_file, write_atomically
from detector.media.acceptance import InputLimits, open_exhibit
from detector.media.frame import Image
from detector.media.open import open_media
from detector.models.loaded import LoadedModel
from detector.progress import ReportShare
from detector.schema.analysis import Analysis, MediaKind, Person, Score, Segment
from detector.schema.frame_maps import INDEX, FrameMap, SegmentMaps
from detector.schema.scores import Box, round_box
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.moments import KeptMoment
from detector.scoring.person_look import RaisedInterval
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker

MOST_FRAMES = 240  # half a minute; longer segments are thinned evenly
_SIDE = 320  # px of each picture
_LEAST_CONFIDENCE = 0.3
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)


@dataclass(frozen=True)
class _HeadMap:
    """A head, where it lies in its frame, and its map in pixels of the picture of the head."""

    score: Score
    head: Image
    part: Box
    explained: Explained


def write_segment_maps(
    exhibit: Path,
    analysis: Analysis,
    segment_id: str,
    out: Path,
    model: LoadedModel,
    report: ReportShare = lambda share: None,
    bounds: InputLimits | None = None,
) -> SegmentMaps:
    """Write the heatmaps of a segment's sampled frames to the folder ``out``, and what they are.

    ``model`` is the one that the analysis names. Each frame is explained by what the networks answer for it
    alone. Maps are as bright as the frame's score is high, so that an animation shows when it rises. Each is
    listed as soon as it is written, so that what was made remains if the rest fails. Raises
    :class:`~detector.errors.MediaError` for another exhibit or an unknown segment, and
    :class:`~detector.errors.ModelError` for another model.
    """
    segment = next((segment for segment in analysis.segments if segment.id == segment_id), None)
    if segment is None or analysis.media.kind is not MediaKind.VIDEO:
        raise MediaError(f"The analysis has no segment {segment_id} of a video. Choose one that it lists.")
    if model.card.sha256 != analysis.model.sha256:
        raise ModelError(
            f"The analysis was made with other weights of {analysis.model.name}. Choose the model it names."
        )
    with open_exhibit(exhibit):
        _, sha256 = hash_file(exhibit)
    if sha256 != analysis.media.sha256:
        raise MediaError("This is not the exhibit of the analysis. Give the very file that was analysed.")
    person = next(person for person in analysis.persons if person.id == segment.person)
    scores = scores_inside(segment, person)
    scan = Scorer(model.alone)
    looks = model.second_look is not None and person.second_look is not None
    networks = BothNetworks.of(scan, model) if looks else None
    out.mkdir(parents=True, exist_ok=True)
    written: list[FrameMap] = []  # with the heat as it is, until the strongest is known
    with open_media(exhibit, bounds) as reader:
        reader.turned = analysis.media.turned // 90
        by_pts = {score.pts: score for score in scores}
        for frame in reader.at(set(by_pts)):
            report(len(written) / len(by_pts))
            score = by_pts[frame.pts]
            peak = _peak(frame.image, score)
            scorer = scan if networks is None else _scorer(frame.image, peak, person, networks)
            written.append(_written(_head_map(frame.image, score, peak, scorer), len(written), out))
            _listed(segment_id, written, out, complete=False)
    return _listed(segment_id, written, out, complete=True)


def _listed(segment_id: str, written: Sequence[FrameMap], out: Path, *, complete: bool) -> SegmentMaps:
    """Write the list of the heatmaps, with their strength relative to the strongest."""
    strongest = max((frame.heat for frame in written), default=0.0) or 1.0
    frames = (frame.model_copy(update={"heat": round(frame.heat / strongest, 4)}) for frame in written)
    listed = SegmentMaps(segment=segment_id, frames=tuple(frames), complete=complete)
    write_atomically(out / INDEX, listed.model_dump_json().encode())
    return listed


def scores_inside(segment: Segment, person: Person) -> tuple[Score, ...]:
    """Return the judged scores of ``person`` inside ``segment``, at most :data:`MOST_FRAMES`."""
    inside = [
        score
        for score in person.scores
        if segment.start <= score.time <= segment.end and score.logit is not None and not score.interpolated
    ]
    if len(inside) > MOST_FRAMES:
        places = np.linspace(0, len(inside) - 1, MOST_FRAMES).round().astype(int)
        inside = [inside[place] for place in places.tolist()]
    return tuple(inside)


def _peak(image: Image, score: Score) -> Detection:
    return Detection(
        score.pts, score.time, None, score.track, True, score.box, _roll(image, score), score.logit, None
    )


def _head_map(image: Image, score: Score, peak: Detection, scorer: Scorer) -> _HeadMap:
    face = scorer.explainable(image, peak)
    height, width = image.shape[:2]
    head = head_square(peak.box, width, height)
    scale = _SIDE / head.side
    left, top = head.x - head.side / 2, head.y - head.side / 2
    x, y, side = (value * scale for value in (face.square.x - left, face.square.y - top, face.square.side))
    placed = CropSquare(x, y, side, face.square.angle)
    x0, y0, x1, y1 = peak.box
    box = ((x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale)
    explained = Explained(f"{peak.pts}", placed, round_box(box), shown_map(face), None)
    part = round_box((left, top, left + head.side, top + head.side))
    return _HeadMap(score, crop_square(image, head, _SIDE), part, explained)


def _scorer(image: Image, peak: Detection, person: Person, networks: BothNetworks) -> Scorer:
    """Return a scorer that knows this one face of the person, and how far its track was raised."""
    assert person.second_look is not None
    windows = cut_windows(image, peak.box) if networks.second.reads_windows else None
    patch = cut_patch(image, peak.box)
    moment = KeptMoment(peak.track, peak.time, peak.pts, patch, peak.roll, windows)
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    rows["track"], rows["time"] = peak.track, peak.time
    rows["logit"] = networks.scan.logits([crop_square(image, peak.square, networks.scan.card.input.size)])
    look = PersonLooker(networks, alternate_heads=False).look([peak.track], rows, [moment], 1)
    assert look is not None
    raised = tuple(
        RaisedInterval(contrast.track, contrast.start, contrast.end, contrast.contrast, contrast.raised)
        for contrast in person.second_look.contrasts
    )
    return FusedScorer(networks, [replace(look, raised=raised)])


def _roll(image: Image, score: Score) -> float:
    """Return the roll of the face at the place of ``score``, which analyses do not store; 0 if not found."""
    patch, box, scale = cut_patch(image, score.box)
    faces = FaceDetector(_LEAST_CONFIDENCE)(patch)
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])

    def distance(face: Face) -> float:
        x0, y0, x1, y1 = face.box
        return float(np.linalg.norm(middle - [(x0 + x1) / 2, (y0 + y1) / 2]))

    nearest = min(faces, key=distance, default=None)
    return 0.0 if nearest is None else roll(nearest)


def _written(head_map: _HeadMap, number: int, out: Path) -> FrameMap:
    """Write the pictures of a map, and return its description; the heat is absolute."""
    frame, heatmap = f"{number:03d}.jpg", f"{number:03d}.png"
    probability = head_map.score.probability or 0.0
    levels = visible_levels(head_map.explained.heat) * np.float32(probability)
    layer = heat_layer(replace(head_map.explained, heat=levels), 1.0, (_SIDE, _SIDE), levels_given=True)
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(head_map.head, cv2.COLOR_RGB2BGR), _JPEG)
    if not ok:
        raise OSError(f"could not encode {frame}")
    write_atomically(out / frame, data.tobytes())
    write_png(out / heatmap, layer)
    return FrameMap.model_construct(
        time=round(head_map.score.time, 4),
        pts=head_map.score.pts,
        probability=round(probability, 4),
        heat=float(head_map.explained.heat.max()),
        part=head_map.part,
        frame=frame,
        map=heatmap,
    )

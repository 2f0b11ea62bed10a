"""Measure heatmaps of develop clips: whether checks confirm them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detector.explain.heatmaps import check_maps, heatmap_of, hidden_parts_map, random_area_numbers
from detector.explain.hiding import Mask
from detector.faces.crop import INNER, Face, roll
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.faces.search.networks import FaceDetector
from detector.faces.windows import cut_windows
from detector.media.frame import Frame, Image
from detector.media.open import open_media
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import HideAndRescore, Parameters
from detector.schema.scores import logit_of
from detector.scoring.fused_scorer import BothNetworks, FusedScorer
from detector.scoring.fusion import Explainable
from detector.scoring.moments import AS_IT_IS, KeptMoment, crop_in_view
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker
from training.second_look.fitting.exhibits import develop_clips

_FRAMES = 5  # of each clip, evenly spaced
_LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True)
class PeakFace:
    """The highest of some frames of a clip, as the engine explains it."""

    clip: str
    scorer: FusedScorer
    face: Explainable

    @property
    def whole_head(self) -> bool:
        """Whether the map shows the whole head."""
        return max(self.face.shown, key=lambda crop: crop.square.side).framing != INNER


def find_peak(path: Path, networks: BothNetworks, detector: FaceDetector, least: float) -> PeakFace | None:
    """Return the highest of five frames; None if their mean logit is below ``least`` or no face is found."""
    faces = [(frame, face) for frame in _spread_frames(path) if (face := _largest(detector, frame.image))]
    if not faces:
        return None
    moments = [_moment(frame, face) for frame, face in faces]
    size = networks.scan.card.input.size
    squares = [crop_in_view(moment, AS_IT_IS, INNER, size) for moment in moments]
    rows = np.zeros(len(moments), [("track", np.int32), ("time", float), ("logit", float)])
    rows["time"], rows["logit"] = [moment.time for moment in moments], networks.scan.logits(squares)
    look = PersonLooker(networks).look([0], rows, moments, len(moments))
    assert look is not None
    scorer = FusedScorer(networks, [look])
    logits = scorer.fuse(rows["track"], rows["time"], rows["logit"]).logit
    if logits.mean() < least:
        return None
    frame, face = faces[int(logits.argmax())]
    time = float(frame.time)
    peak = Detection(frame.pts, time, None, 0, True, face.box, roll(face), float(logits.max()), None)
    return PeakFace(path.name, scorer, scorer.explainable(frame.image, peak))


def _spread_frames(path: Path) -> Iterator[Frame]:
    with open_media(path) as reader:
        duration = reader.expected_duration or 1.0
        times = [duration * (number + 0.5) / _FRAMES for number in range(_FRAMES)]
        for frame in reader.frames(Parameters().sample_rate):
            if times and float(frame.time) >= times[0]:
                times.pop(0)
                yield frame


def _largest(detector: FaceDetector, image: Image) -> Face | None:
    return max(detector(image), key=lambda face: face.width, default=None)


def _moment(frame: Frame, face: Face) -> KeptMoment:
    patch, windows = cut_patch(frame.image, face.box), cut_windows(frame.image, face.box)
    return KeptMoment(0, float(frame.time), frame.pts, patch, roll(face), windows)


@dataclass(frozen=True)
class MapChecks:
    """Checks of a peak's own maps, and of another face's map in their place; None for the first face."""

    hidden_parts: HideAndRescore
    grad_cam: HideAndRescore
    of_another: HideAndRescore | None


def measure_peak_maps(data: Path, model: LoadedModel, every: int, report: ReportText) -> list[MapChecks]:
    """Check the maps of every ``every``-th manipulated develop clip that reaches the threshold.

    Each map is also checked on the next face that is explained in the same framing, where it is wrong.
    """
    networks, detector = BothNetworks.of(Scorer(model.alone), model), FaceDetector(_LEAST_CONFIDENCE)
    least = logit_of(Parameters().enter_threshold)
    before: dict[bool, Mask] = {}
    checks = []
    for path, row in [clip for clip in develop_clips(data) if clip[1]["label"] == "fake"][::every]:
        peak = find_peak(path, networks, detector, least)
        heat = hidden_parts_map(peak.face) if peak else None
        if peak is None or heat is None:
            continue
        other = before.get(peak.whole_head)
        maps = [heat, heatmap_of(peak.face)] + ([] if other is None else [other])
        found = check_maps(peak.scorer, peak.face, maps, 0, random_area_numbers(0, 1))
        checks.append(MapChecks(found[0], found[1], found[2] if len(found) > 2 else None))
        before[peak.whole_head] = heat
        report(f"{path.name}, {row['generator']}: {_words(checks[-1])}")
    report(describe_checks(checks))
    return checks


def _words(checks: MapChecks) -> str:
    figures = [
        f"{name} {check.drop_highlight:.2f}{' confirmed' if check.confirmed else ''}"
        for name, check in (
            ("hidden parts", checks.hidden_parts),
            ("Grad-CAM", checks.grad_cam),
            ("of another face", checks.of_another),
        )
        if check is not None
    ]
    return f"logit falls without {', '.join(figures)}; random {checks.hidden_parts.drop_random:.2f}"


def describe_checks(checks: Sequence[MapChecks]) -> str:
    """Describe how many maps of each kind are confirmed."""
    own = [sum(c.hidden_parts.confirmed for c in checks), sum(c.grad_cam.confirmed for c in checks)]
    others = [check.of_another for check in checks if check.of_another is not None]
    return (
        f"confirmed of {len(checks)} maps: {own[0]} of hidden parts, {own[1]} by Grad-CAM; "
        f"of another face's: {sum(other.confirmed for other in others)} of {len(others)}"
    )

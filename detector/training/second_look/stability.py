"""Whether verdicts on develop clips survive shift, scale and re-encoding."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from detector.faces.detector import FaceDetector
from detector.media.encode import h264_round_trip
from detector.media.frame import Image
from detector.scoring.scorer import Scorer
from detector.training.data.face_samples import read_csv
from detector.training.second_look.fusion import Fusion
from detector.training.second_look.prepare import FRAMES, face_patches
from detector.training.second_look.report import fusion_columns, fusion_path, read_network

Frames = list[Image]
View = Callable[[Frames], Frames]
_LONGEST = 90  # frames


def shifted(dx: int, dy: int) -> View:
    """Moved by so many pixels; what leaves at one edge comes in at the other."""
    return lambda frames: [np.roll(frame, (dy, dx), (0, 1)) for frame in frames]


def scaled(frames: Frames) -> Frames:
    """At 0.9 of the size."""
    height, width = (round(side * 0.9) // 2 * 2 for side in frames[0].shape[:2])
    return [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]


def encoded(crf: int) -> View:
    """Through x264 at ``crf``."""

    def through(frames: Frames) -> Frames:
        height, width = (side // 2 * 2 for side in frames[0].shape[:2])
        even = [frame[:height, :width] for frame in frames]
        return h264_round_trip(even, 25, {"preset": "veryfast", "crf": str(crf)})

    return through


UNCHANGED = "as it is"
VIEWS: dict[str, View] = {
    UNCHANGED: lambda frames: frames,
    "shift 1,2": shifted(1, 2),
    "shift 3,-1": shifted(3, -1),
    "scale 0.9": scaled,
    "crf 23": encoded(23),
    "crf 28": encoded(28),
}


def report_stability(
    weights: Path, scorer: Scorer, data: Path, clips: int, report: Callable[[str], None]
) -> None:
    """Report the fused logit of some develop clips in each view, and how many verdicts change."""
    network, detector = read_network(weights), FaceDetector(0.5)
    constants = json.loads(fusion_path(weights).read_text())
    fusion, threshold = Fusion.of(constants), float(constants["threshold"])
    listed = [row for row in read_csv(data / "clips" / "labels.csv") if row["role"] == "develop"]
    changed: dict[str, list[bool]] = defaultdict(list)
    for row in listed[:: max(1, len(listed) // clips)]:
        frames = _frames(data / "clips" / row["file"])
        line: dict[str, float] = {}
        for name, view in VIEWS.items():
            patches = face_patches(_spread(view(frames), FRAMES["develop"]), row["label"] == "fake", detector)
            if patches:
                columns = fusion_columns(network, scorer, patches)
                line[name] = float(fusion.logit(columns.mean(axis=0)[None])[0])
        if UNCHANGED not in line:
            report(f"{row['file']}: no face")
            continue
        before = line[UNCHANGED] >= threshold
        for name in VIEWS:
            # A view without any face gives no verdict, which is a change, too.
            changed[name].append(name not in line or (line[name] >= threshold) != before)
        report(f"{row['label']} {row['file']} { {name: round(value, 2) for name, value in line.items()} }")
    for name, said in changed.items():
        report(f"{name}: {sum(said)} of {len(said)} verdicts change")


def _frames(path: Path) -> Frames:
    out: Frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            out.append(frame.to_ndarray(format="rgb24"))
            if len(out) == _LONGEST:
                break
    return out


def _spread(frames: Frames, count: int) -> Frames:
    return [frames[int((i + 0.5) * len(frames) / count)] for i in range(count)]

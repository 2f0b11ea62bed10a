"""Stretches that were not examined: between judged faces, and behind the last frame that was decoded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from analyses import media

from detector.faces import flaws
from detector.faces.crop import Face
from detector.faces.detections import DetectionBuffer
from detector.faces.quality import Assessment
from detector.schema.analysis import MediaKind
from detector.scoring.first_pass import FirstPassResult
from detector.verdict.coverage import NOT_DECODED, measure_coverage

FACE = Face((0, 0, 50, 60), 0.9, np.zeros((5, 2), np.float32))
CROP = np.zeros((8, 8, 3), np.uint8)
JUDGED = Assessment(None, crop=CROP)


def stretches(
    seen: Mapping[float, Assessment], *, lost: float = 0.0, missing: float = 0.0
) -> list[tuple[float, float, str]]:
    """What was not examined of four seconds, sampled once a second, with a face at the times in ``seen``."""
    buffer = DetectionBuffer()
    for time, shows in seen.items():
        buffer.add(round(time), time, round(time), 0, FACE, shows)
    first_pass = FirstPassResult(buffer.take(), [], np.arange(4.0), [], 0)
    clip = media(MediaKind.VIDEO, 4.0, lost_at_end=lost)
    coverage = measure_coverage(first_pass, clip, missing, 1.0)
    return [(span.start, span.end, span.reason) for span in coverage.not_examined]


def test_neighbours_with_the_same_reason_are_joined() -> None:
    gaps = stretches({0.0: JUDGED, 3.0: Assessment(flaws.TOO_DARK)})
    assert gaps == [(1.0, 3.0, "no face found"), (3.0, 4.0, "faces too dark or too flat to judge")]


def test_complete_coverage_has_no_gaps() -> None:
    assert stretches(dict.fromkeys((0.0, 1.0, 2.0, 3.0), JUDGED)) == []


@pytest.mark.parametrize(("lost", "missing"), [(2.0, 0.0), (0.0, 5.0), (2.0, 5.0)])
def test_missing_end_follows_the_last_frame(lost: float, missing: float) -> None:
    gaps = stretches(dict.fromkeys((0.0, 1.0, 2.0, 3.0), JUDGED), lost=lost, missing=missing)
    expected = [(4.0, 4.0 + lost, NOT_DECODED.text)] if lost else []
    if missing:
        expected.append((4.0 + lost, 4.0 + lost + missing, "the file breaks off here"))
    assert gaps == expected

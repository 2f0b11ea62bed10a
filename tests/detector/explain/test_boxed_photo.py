"""The photo with each face boxed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from analyses import build, with_stability

from detector import engine
from detector.explain.overlays import BOXED, draw_boxes
from detector.findings import OtherModels
from detector.schema.analysis import MediaKind, Parameters


@pytest.mark.parametrize(
    ("stability", "flagged"), [({}, "AB"), ({"B": 0.6}, "A"), ({"A": 0.6, "B": 0.6}, "")]
)
def test_only_stable_persons_are_flagged(tmp_path: Path, stability: dict[str, float], flagged: str) -> None:
    analysis = build(tmp_path, kind=MediaKind.IMAGE, persons=2, segments=2, kept=False)
    analysis = with_stability(analysis, **stability)
    moved = analysis.persons[1].model_copy(update={"median_box": (1200, 420, 1500, 740)})
    analysis = analysis.model_copy(update={"persons": (analysis.persons[0], moved)})
    job = engine._Job(Path("photo.jpg"), None, Parameters(), None, tmp_path, None, None, OtherModels(), True)
    (tmp_path / BOXED).parent.mkdir(exist_ok=True)
    photo = np.full((720, 1280, 3), 90, np.uint8)
    assert engine._pictures(job, photo, 1920, analysis)["boxed"] == BOXED
    written = cv2.imread(str(tmp_path / BOXED))
    drawn = {
        names: draw_boxes(photo, 1280 / 1920, analysis.persons, names)[..., ::-1]
        for names in ("", "A", "B", "AB")
    }
    assert [names for names, picture in drawn.items() if (picture == written).all()] == [flagged]

"""A photograph of many people: each is judged, boxed, and has a heatmap of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector import Analysis, Parameters, Verdict, analyze
from detector.demo_clip import portraits
from detector.models.loaded import LoadedModel
from detector.schema.boxes import overlap

Analysed = tuple[Analysis, Path, list[tuple[int, int]]]  # the last: the middle of each head
GROUPS = [(2, 2), pytest.param((5, 4), marks=pytest.mark.slow)]  # columns and rows
CELL = (390, 397)  # px


def group_photo(columns: int, rows: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Heads in rows, of two people, some mirrored; and the middle of each cell."""
    collins, hopper = portraits()
    heads = [collins[0:220, 150:330], hopper[20:400, 110:420]]
    picture = np.full((CELL[1] * rows + 12, CELL[0] * columns + 50, 3), (96, 120, 150), np.uint8)
    middles = []
    for number in range(columns * rows):
        head = cv2.resize(heads[number % 2], (330, 380), interpolation=cv2.INTER_CUBIC)
        x, y = 35 + number % columns * CELL[0], 12 + number // columns * CELL[1]
        picture[y : y + 380, x : x + 330] = head[:, ::-1] if number % 3 == 1 else head
        middles.append((x + 165, y + 190))
    return picture, middles


@pytest.fixture(scope="module", params=GROUPS)
def analysed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fused: LoadedModel
) -> Analysed:
    """All of them flagged, so that each is explained."""
    folder = tmp_path_factory.mktemp("group")
    picture, middles = group_photo(*request.param)
    cv2.imwrite(str(folder / "group.jpg"), picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    parameters = Parameters(enter_threshold=0.0001, exit_threshold=0.0001)
    return analyze(folder / "group.jpg", model=fused, parameters=parameters, images=folder), folder, middles


def test_each_is_judged_and_boxed(analysed: Analysed) -> None:
    analysis, _, middles = analysed
    assert analysis.verdict is Verdict.MANIPULATED
    assert len(analysis.persons) == analysis.coverage.faces_found == len(middles)
    assert all(person.probability is not None and person.second_look for person in analysis.persons)
    for x, y in middles:
        inside = [
            person
            for person in analysis.persons
            if person.median_box[0] < x < person.median_box[2]
            and person.median_box[1] < y < person.median_box[3]
        ]
        assert len(inside) == 1
    assert analysis.answers is not None
    assert analysis.probability == pytest.approx(
        max(analysis.answers.altered, analysis.answers.synthesised), abs=1e-6
    )


def test_each_has_a_heatmap_of_their_own_face(analysed: Analysed) -> None:
    analysis, folder, middles = analysed
    assert {segment.person for segment in analysis.segments} == {person.id for person in analysis.persons}
    peaks = [segment.peaks[0] for segment in analysis.segments]
    assert len({peak.map for peak in peaks}) == len({peak.overlay for peak in peaks}) == len(middles)
    scale = min(1280 / analysis.media.width, 1.0)
    for peak in peaks:
        alpha = cv2.imread(str(folder / str(peak.map)), cv2.IMREAD_UNCHANGED)[..., 3]
        rows, columns = np.nonzero(alpha)
        hot = (columns.min() / scale, rows.min() / scale, columns.max() / scale, rows.max() / scale)
        nearest = max(peaks, key=lambda other: overlap(other.box, hot))
        assert nearest is peak


def test_each_map_is_checked_and_says_with_how_many_areas(analysed: Analysed) -> None:
    analysis, _, middles = analysed
    checks = [segment.peaks[0].check for segment in analysis.segments]
    assert {check.areas for check in checks} == {4 if len(middles) == 4 else 2}
    for person, check in zip(analysis.persons, checks, strict=True):
        assert check.probability == pytest.approx(person.probability, abs=1e-3)


def test_the_photo_is_kept_once_and_once_more_with_boxes(
    analysed: Analysed,
) -> None:
    analysis, folder, _ = analysed
    assert analysis.picture is not None and analysis.boxed is not None
    assert {segment.peaks[0].frame for segment in analysis.segments} == {analysis.picture}
    clean, boxed = (cv2.imread(str(folder / name)) for name in (analysis.picture, analysis.boxed))
    assert clean.shape == boxed.shape and clean.shape[1] == min(analysis.media.width, 1280)
    scale = min(1280 / analysis.media.width, 1.0)
    for person in analysis.persons:
        x0, y0, _, y1 = (round(value * scale) for value in person.median_box)
        edge = (slice(y0 + 12, y1 - 12), slice(x0 - 1, x0 + 2))
        assert (clean[edge] != boxed[edge]).any(axis=2).mean() > 0.9

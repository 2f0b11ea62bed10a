"""A photograph of many people: each is judged, boxed, and has a heatmap of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector import Analysis, Parameters, Verdict, analyze
from detector.demo_clip import portraits
from detector.explain.overlays import read_png
from detector.models.loaded import LoadedModel
from detector.schema.scores import overlap
from detector.verdict.judged_persons import average_of_odds
from reports.inputs.pictures import embed
from reports.report_view import report_view

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


def test_each_face_is_judged_and_boxed(analysed: Analysed) -> None:
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


def test_photo_probability_is_the_mean_of_odds(analysed: Analysed) -> None:
    analysis, _, _ = analysed
    of_faces = [person.probability for person in analysis.persons if person.probability is not None]
    assert analysis.probability == pytest.approx(average_of_odds(of_faces))
    assert min(of_faces) < analysis.probability < max(of_faces)
    altered = [person.second_look.altered for person in analysis.persons if person.second_look]
    assert analysis.answers is not None
    assert analysis.answers.altered == pytest.approx(average_of_odds(altered))


def test_outweighed_face_leaves_the_verdict_open(tmp_path: Path, model: LoadedModel) -> None:
    """By the scan alone. Where the highest face counts, as in analyses before 0.2, it is flagged."""
    cv2.imwrite(str(tmp_path / "group.png"), group_photo(2, 1)[0][:, :, ::-1])

    def told(enter_threshold: float, **given: bool) -> Analysis:
        parameters = Parameters(enter_threshold=enter_threshold, second_look=0, **given)
        return analyze(tmp_path / "group.png", model=model, parameters=parameters)

    scores = sorted(float(person.scores.smoothed[0]) for person in told(0.99).persons)
    assert len(scores) == 2
    threshold = 0.1 * scores[0] + 0.9 * scores[1]
    among_others, highest_counts = told(threshold), told(threshold, average_odds=False)
    assert among_others.verdict is Verdict.INCONCLUSIVE and not among_others.segments
    assert "among 2 judged faces" in among_others.reason
    assert highest_counts.verdict is Verdict.MANIPULATED and len(highest_counts.segments) == 1
    assert highest_counts.probability > among_others.probability
    assert highest_counts.segments[0].person in among_others.reason.partition(":")[0]


def test_each_person_has_an_own_heatmap(analysed: Analysed) -> None:
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


def test_each_map_is_checked_with_recorded_areas(analysed: Analysed) -> None:
    analysis, _, middles = analysed
    checks = [segment.peaks[0].check for segment in analysis.segments]
    assert {check.areas for check in checks} == {4 if len(middles) == 4 else 2}
    for person, check in zip(analysis.persons, checks, strict=True):
        assert check.probability == pytest.approx(person.probability, abs=1e-3)


def test_photo_is_stored_with_and_without_boxes(
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


@pytest.fixture(scope="module")
def small_face(
    tmp_path_factory: pytest.TempPathFactory, fused: LoadedModel
) -> tuple[Analysis, Path, np.ndarray]:
    """One head in a photograph of which half as much again would be kept; the photograph as well."""
    folder = tmp_path_factory.mktemp("small")
    picture = np.full((900, 2600, 3), (96, 120, 150), np.uint8)
    picture[300:680, 1400:1730] = group_photo(1, 1)[0][12:392, 35:365]
    cv2.imwrite(str(folder / "small.png"), picture[:, :, ::-1])
    parameters = Parameters(enter_threshold=0.0001, exit_threshold=0.0001)
    return analyze(folder / "small.png", model=fused, parameters=parameters, images=folder), folder, picture


def test_small_face_is_also_stored_at_full_size(small_face: tuple[Analysis, Path, np.ndarray]) -> None:
    analysis, folder, picture = small_face
    (peak,) = analysis.segments[0].peaks
    assert peak.close_up is not None
    left, top, right, bottom = map(int, peak.close_up.part)
    assert left < peak.box[0] and top < peak.box[1] and right > peak.box[2] and bottom > peak.box[3]
    frame, over = (read_png(folder / name) for name in (peak.close_up.frame, peak.close_up.overlay))
    assert np.array_equal(frame, picture[top:bottom, left:right])
    alone = np.asarray(cv2.imread(str(folder / peak.close_up.map), cv2.IMREAD_UNCHANGED))
    whole = np.asarray(cv2.imread(str(folder / str(peak.map)), cv2.IMREAD_UNCHANGED))
    assert over.shape == frame.shape and alone.shape == (*frame.shape[:2], 4)
    rows, columns = np.nonzero(alone[..., 3] > 100)
    there_rows, there_columns = np.nonzero(whole[..., 3] > 100)
    scale = 1280 / picture.shape[1]
    assert left + columns.mean() == pytest.approx(there_columns.mean() / scale, abs=8)
    assert top + rows.mean() == pytest.approx(there_rows.mean() / scale, abs=8)
    assert set(peak.pictures) <= {str(path.relative_to(folder)) for path in folder.rglob("*.png")}


def test_report_shows_small_face_at_full_size(small_face: tuple[Analysis, Path, np.ndarray]) -> None:
    analysis, folder, _ = small_face
    view = report_view(analysis, folder)
    near = analysis.segments[0].peaks[0].close_up
    assert near is not None
    assert {near.frame, near.overlay} <= {picture.path for picture in view.pictures}
    assert {near.frame, near.overlay, near.map} <= set(view.kept)
    x0, _, x1, _ = analysis.segments[0].peaks[0].box
    shown = next(picture for picture in view.pictures if picture.path == near.frame)
    data = embed(folder, [shown.key])[shown.key]
    width = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).shape[1]
    assert width > 1.4 * (x1 - x0), "not scaled down"


def test_large_face_has_no_close_up(analysed: Analysed) -> None:
    analysis, _, _ = analysed
    for segment in analysis.segments:
        x0, _, x1, _ = segment.peaks[0].box
        small = analysis.media.width > 1280 and (x1 - x0) * 1280 / analysis.media.width < 160
        assert (segment.peaks[0].close_up is not None) == small

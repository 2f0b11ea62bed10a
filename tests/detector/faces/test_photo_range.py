"""Photographs that are not judged: without colour, without detail, drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from detector import Parameters, Verdict, analyze, engine
from detector.faces.flaws import DRAWN, WITHOUT_COLOUR, WITHOUT_DETAIL
from detector.faces.quality import measure_photo, photo_flaw
from detector.faces.search.networks import FaceDetector
from detector.faces.search.photos import find_upright_turn
from detector.models.loaded import LoadedModel


@pytest.fixture(scope="module")
def box(astronaut: np.ndarray) -> tuple[float, float, float, float]:
    return FaceDetector()(astronaut)[0].box


def to_grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def tone(picture: np.ndarray) -> np.ndarray:
    return (to_grey(picture) * (0.95, 0.78, 0.55)).astype(np.uint8)


def enlarge(picture: np.ndarray, width: float) -> np.ndarray:
    """As if the face had been 14 px wide."""
    small = cv2.resize(picture, None, fx=14 / width, fy=14 / width, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def posterise(picture: np.ndarray) -> np.ndarray:
    for _ in range(5):
        picture = cv2.bilateralFilter(picture, 9, 40, 9)
    return picture // 32 * 32 + 16


def compress(picture: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def test_phone_photographs_are_judged(astronaut: np.ndarray, box: tuple[float, float, float, float]) -> None:
    dark, half = (astronaut * 0.5).astype(np.uint8), cv2.resize(astronaut, None, fx=0.5, fy=0.5)
    for picture in (astronaut, compress(astronaut, 40), dark, cv2.GaussianBlur(astronaut, (0, 0), 1.0)):
        assert photo_flaw(picture, box, Parameters()) is None
    assert photo_flaw(half, tuple(value / 2 for value in box), Parameters()) is None


def test_each_flaw_is_reported(astronaut: np.ndarray, box: tuple[float, float, float, float]) -> None:
    for picture, flaw in (
        (compress(to_grey(astronaut), 80), WITHOUT_COLOUR),
        (compress(tone(astronaut), 92), WITHOUT_COLOUR),
        (compress(enlarge(astronaut, box[2] - box[0]), 90), WITHOUT_DETAIL),
        (posterise(astronaut), DRAWN),
    ):
        assert photo_flaw(picture, box, Parameters()) == flaw
    off = Parameters(minimum_colour=0, minimum_detail=0, maximum_flatness=0)
    assert photo_flaw(to_grey(astronaut), box, off) is None
    assert photo_flaw(posterise(astronaut), box, off) is None


def test_a_face_at_the_edge_or_beyond_it(astronaut: np.ndarray) -> None:
    for box in ((-30.0, -30.0, 80.0, 90.0), (480.0, 500.0, 540.0, 560.0), (511.5, 511.5, 512.5, 512.5)):
        assert np.isfinite(measure_photo(astronaut, box).colour)


def test_shown_photo_stays_upright_if_turning_did_not_help(
    astronaut: np.ndarray, tmp_path: Path, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_upright_turn", lambda *given, still: 1)
    upright = to_grey(astronaut)[:, 60:460]
    Image.fromarray(upright).save(tmp_path / "grey.png")
    analysis = analyze(tmp_path / "grey.png", model=model, images=tmp_path)
    assert analysis.media.turned == 0 and analysis.picture and analysis.boxed
    assert np.array_equal(np.asarray(Image.open(tmp_path / analysis.picture).convert("RGB")), upright)
    boxed = np.asarray(Image.open(tmp_path / analysis.boxed).convert("RGB"))
    assert boxed.shape == upright.shape and not np.array_equal(boxed, upright)


def test_unjudgeable_face_turns_no_photo(astronaut: np.ndarray) -> None:
    lying, parameters = np.rot90(astronaut), Parameters()
    assert find_upright_turn([lying], parameters, still=True)
    assert find_upright_turn([to_grey(lying)], parameters, still=True) == 0
    assert find_upright_turn([to_grey(lying)], parameters)  # of a video, whose colours nobody asks about


def test_analysis_reports_the_flaw(astronaut: np.ndarray, tmp_path: Path, model: LoadedModel) -> None:
    Image.fromarray(to_grey(astronaut)).save(tmp_path / "grey.png")
    analysis = analyze(tmp_path / "grey.png", model=model)
    assert (
        analysis.verdict is Verdict.INCONCLUSIVE and analysis.probability is None and analysis.answers is None
    )
    assert "black and white" in analysis.reason and "no figure" in analysis.reason
    assert analysis.coverage.flaws == {WITHOUT_COLOUR: 1}
    any_colour = analyze(tmp_path / "grey.png", model=model.alone, parameters=Parameters(minimum_colour=0))
    assert any_colour.probability is not None

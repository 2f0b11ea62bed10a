"""How large and clear the faces of each person are, and whether that of the flagged one was validated."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room

from detector import Analysis, Parameters, analyze
from detector.demo_clip import portraits
from detector.models.loaded import LoadedModel
from detector.verdict.judged_persons import representative_person
from detector.verdict.validated_domain import criteria, persons_outside


def pair(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """One person before the camera, and another one far off."""
    picture = room(near, across=640, down=360, side=330, x=10)
    small = cv2.resize(far, (110, 110), interpolation=cv2.INTER_AREA)
    picture[60:170, 450:560] = small
    return picture


@pytest.fixture(scope="module")
def heads() -> tuple[np.ndarray, np.ndarray]:
    collins, hopper = portraits()
    return collins[0:220, 150:370], hopper[20:400, 90:470]


@pytest.fixture(scope="module", params=["video", "photo"])
def of_two(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    scan: LoadedModel,
    heads: tuple[np.ndarray, np.ndarray],
) -> Analysis:
    path = tmp_path_factory.mktemp("two") / "two.mp4"
    if request.param == "video":
        write_clip(path, [np.roll(pair(*heads), number // 5, axis=1) for number in range(50)])
    else:
        path = path.with_suffix(".png")
        assert cv2.imwrite(str(path), pair(*heads)[:, :, ::-1])
    parameters = Parameters(**ALL_FLAGGED, average_odds=False)
    return analyze(path, model=scan, parameters=parameters)


def test_each_person_has_own_quality(of_two: Analysis) -> None:
    large, small = sorted(of_two.persons, key=lambda candidate: candidate.median_box[0])
    every = of_two.coverage.quality
    assert large.quality and small.quality and every
    for person in (large, small):
        assert person.quality
        left, _, right, _ = person.median_box
        assert person.quality.width.median == pytest.approx(right - left, rel=0.02)
    assert small.quality.width.median < 60 < 120 < large.quality.width.median
    assert small.quality.width.median < every.width.median < large.quality.width.median
    assert Analysis.from_json(of_two.to_json()) == of_two


def test_score_and_domain_check_use_the_same_person(of_two: Analysis) -> None:
    who = representative_person(of_two)
    assert who is not None and who.quality is not None and who.probability == of_two.probability
    domain_check = {criterion.name: criterion for criterion in criteria(of_two)}
    assert (
        domain_check["face width"].spread == who.quality.width and domain_check["face width"].person == who.id
    )
    assert domain_check["shorter side"].person is None
    (other,) = (person for person in of_two.persons if person is not who)
    assert persons_outside(of_two).keys() <= {other.id}


def test_single_person_uses_all_faces(talking: Path, scan: LoadedModel) -> None:
    analysis = analyze(talking, model=scan, parameters=Parameters(**ALL_FLAGGED))
    (person,) = analysis.persons
    assert person.quality is not None and person.quality == analysis.coverage.quality
    assert {criterion.person for criterion in criteria(analysis)} == {None}
    as_before = person.model_copy(update={"quality": None})
    assert criteria(analysis.model_copy(update={"persons": (as_before,)})) == criteria(analysis)


def test_unjudged_person_has_no_quality(tmp_path: Path, scan: LoadedModel, portrait: np.ndarray) -> None:
    path = write_clip(tmp_path / "dark.mp4", [(room(portrait, side=200) * 0.06).astype(np.uint8)] * 25)
    analysis = analyze(path, model=scan)
    assert analysis.persons and all(person.quality is None for person in analysis.persons)

"""Whether an exhibit lies within a model's validated ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses import build

from detector.faces.quality import is_grey
from detector.models.model_files import load_card
from detector.schema.analysis import Analysis, FaceQuality, MediaKind, Range, Spread, Verdict
from detector.schema.metadata import Details, Photo, Picture, Table
from detector.verdict.judged_persons import representative_person
from detector.verdict.validated_domain import FACE_PROPERTIES, criteria, measured_values, persons_outside

VALIDATED = load_card("efficientnet-lstm")[0].validated


def spread(median: float) -> Spread:
    return Spread(tenth=median * 0.9, median=median, ninetieth=median * 1.1)


def quality(**changes: Any) -> FaceQuality:
    usual = {"width": 120, "contrast": 40, "sharpness": 0.07, "tilt": 4}
    grey = changes.pop("grey", 0.0)
    return FaceQuality(**{name: spread(value) for name, value in {**usual, **changes}.items()}, grey=grey)


def exhibit(
    folder: Path, kind: MediaKind = MediaKind.VIDEO, faces: FaceQuality | None = None, **media: Any
) -> Analysis:
    analysis = build(folder, kind=kind, kept=False)
    details = Details(
        picture=Picture(bit_rate=4_000_000),
        photo=Photo(format="JPEG", mode="RGB", tables=(Table(quality=90, exact=True),))
        if kind is MediaKind.IMAGE
        else None,
    )
    return analysis.model_copy(
        update={
            "media": analysis.media.model_copy(update={"details": details, **media}),
            "model": analysis.model.model_copy(update={"validated": VALIDATED}),
            "coverage": analysis.coverage.model_copy(update={"quality": faces or quality()}),
        }
    )


def answers(analysis: Analysis) -> dict[str, bool | None]:
    return {criterion.name: criterion.inside for criterion in criteria(analysis)}


def of_persons(analysis: Analysis, **faces: FaceQuality | None) -> Analysis:
    """``analysis`` with the faces of its persons, by their letters; nobody else was judged."""
    nobody = {"probability": None, "quality": None}
    persons = tuple(
        person.model_copy(update={"quality": faces[person.id]} if person.id in faces else nobody)
        for person in analysis.persons
    )
    return analysis.model_copy(update={"persons": persons})


def figure_of(analysis: Analysis, who: str) -> Analysis:
    """As if ``who`` alone had been flagged, with the highest probability."""
    others = {person.id: 0.1 for person in analysis.persons if person.probability is not None}
    persons = tuple(
        person.model_copy(update={"probability": 0.96 if person.id == who else others.get(person.id)})
        for person in analysis.persons
    )
    segments = tuple(segment for segment in analysis.segments if segment.person == who)
    return analysis.model_copy(update={"persons": persons, "segments": segments, "probability": 0.96})


def test_usual_video_is_inside(tmp_path: Path) -> None:
    states = answers(exhibit(tmp_path))
    assert states == dict.fromkeys(
        ("face width", "contrast", "sharpness", "tilt", "grey faces", "other codecs", "shorter side",
         "bits per pixel", "frame rate"), True
    )  # fmt: skip


@pytest.mark.parametrize("text", ["nonsense", "1/0"])
def test_invalid_frame_rate_is_unknown(tmp_path: Path, text: str) -> None:
    assert answers(exhibit(tmp_path, frame_rate=text))["frame rate"] is None


@pytest.mark.parametrize(
    ("name", "faces", "media"),
    [
        ("face width", {"width": 47}, {}),
        ("face width", {"width": 400}, {}),
        ("contrast", {"contrast": 9}, {}),
        ("sharpness", {"sharpness": 0.03}, {}),
        ("sharpness", {"sharpness": 0.2}, {}),
        ("tilt", {"tilt": 40}, {}),
        ("grey faces", {"grey": 1.0}, {}),
        ("shorter side", {}, {"height": 2160, "width": 3840}),
        ("other codecs", {}, {"codec": "hevc"}),
        ("frame rate", {}, {"frame_rate": "60/1"}),
        ("bits per pixel", {}, {"details": Details(picture=Picture(bit_rate=50_000))}),
    ],
)
def test_each_criterion_can_be_outside(tmp_path: Path, name: str, faces: dict, media: dict) -> None:
    assert answers(exhibit(tmp_path, faces=quality(**faces), **media))[name] is False


@pytest.mark.parametrize("rate", ["24000/1001", "25/1", "3001/100"])
def test_film_and_phone_footage_is_inside(tmp_path: Path, rate: str) -> None:
    assert answers(exhibit(tmp_path, frame_rate=rate))["frame rate"] is True


def test_bits_per_pixel_are_unknown_for_other_codecs(tmp_path: Path) -> None:
    states = answers(exhibit(tmp_path, codec="av1"))
    assert states["other codecs"] is False and states["bits per pixel"] is None


def test_photo_has_its_own_criteria(tmp_path: Path) -> None:
    states = answers(exhibit(tmp_path, MediaKind.IMAGE))
    assert states["JPEG quality"] is True
    assert states["still images"] is None, "whole photographs were not measured"
    assert not {"frame rate", "bits per pixel", "other codecs"} & states.keys()


def test_unknown_values_are_neither_inside_nor_outside(tmp_path: Path) -> None:
    analysis = exhibit(tmp_path, details=None, frame_rate=None)
    coverage = analysis.coverage.model_copy(update={"quality": None})
    states = answers(analysis.model_copy(update={"coverage": coverage}))
    assert states["face width"] is states["bits per pixel"] is states["frame rate"] is None
    assert states["shorter side"] is True


def test_model_without_ranges_has_no_criteria(tmp_path: Path) -> None:
    assert criteria(build(tmp_path, kept=False)) == ()


def test_range_bounds_are_inclusive(tmp_path: Path) -> None:
    analysis = exhibit(tmp_path)
    sides = Range(name="shorter side", unit="px", least=1080, most=1080, basis="")
    model = analysis.model.model_copy(update={"validated": (sides,)})
    assert answers(analysis.model_copy(update={"model": model})) == {"shorter side": True}


def test_grey(astronaut: np.ndarray) -> None:
    face = astronaut[50:200, 150:300]
    grey = np.repeat(face.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert is_grey(grey) and not is_grey(face)


class TestSeveralPersons:
    """Faces of 300 px beside others of 40 px: what was validated has to hold of those that were flagged."""

    @pytest.fixture
    def both(self, tmp_path: Path) -> Analysis:
        """A is large, B small and grey; over all faces nothing is outside."""
        return of_persons(exhibit(tmp_path), A=quality(width=250), B=quality(width=40, tilt=40, grey=1.0))

    @pytest.mark.parametrize(
        ("who", "width", "outside"), [("A", 250, set()), ("B", 40, {"face width", "tilt", "grey faces"})]
    )
    def test_faces_of_the_representative_person_count(
        self, both: Analysis, who: str, width: float, outside: set[str]
    ) -> None:
        analysis = figure_of(both, who)
        properties = {criterion.name: criterion for criterion in criteria(analysis)}
        assert {name for name, criterion in properties.items() if criterion.inside is False} == outside
        assert (properties["face width"].value, properties["face width"].spread) == (width, spread(width))
        assert {name for name, criterion in properties.items() if criterion.person == who} == FACE_PROPERTIES
        assert all(
            criterion.person is None for name, criterion in properties.items() if name not in FACE_PROPERTIES
        )

    def test_other_persons_outside_are_listed_with_properties(self, both: Analysis) -> None:
        assert persons_outside(figure_of(both, "A")) == {"B": ["face width", "tilt", "grey faces"]}
        assert persons_outside(figure_of(both, "B")) == {}

    def test_highest_score_represents_without_finding(self, both: Analysis) -> None:
        calm = {"verdict": Verdict.NOT_FOUND, "segments": ()}
        assert answers(figure_of(both, "B").model_copy(update=calm))["face width"] is False

    def test_averaged_photo_uses_all_faces(self, tmp_path: Path) -> None:
        made = exhibit(tmp_path, MediaKind.IMAGE)
        analysis = of_persons(made, A=quality(width=250), B=quality(width=40))
        assert representative_person(analysis) is None
        assert measured_values(analysis) == measured_values(made)
        assert {criterion.person for criterion in criteria(analysis)} == {None}
        assert persons_outside(analysis) == {"B": ["face width"]}
        highest = made.parameters.model_copy(update={"average_odds": False})
        small = figure_of(analysis.model_copy(update={"parameters": highest}), "B")
        assert measured_values(small)[0]["face width"] == 40

    def test_single_judged_person_is_not_named(self, both: Analysis) -> None:
        analysis = of_persons(both, B=quality(width=40))
        variant = figure_of(analysis, "B")
        assert answers(variant)["face width"] is False
        assert {criterion.person for criterion in criteria(variant)} == {None} and persons_outside(
            variant
        ) == {}

    def test_analyses_without_person_quality_use_all_faces(self, tmp_path: Path) -> None:
        made = exhibit(tmp_path, faces=quality(width=40))
        assert all(person.quality is None for person in made.persons)
        properties = {criterion.name: criterion for criterion in criteria(made)}
        assert properties["face width"].value == 40 and properties["face width"].person is None
        assert persons_outside(made) == {}

    def test_no_representative_without_probability(self, both: Analysis) -> None:
        nothing = of_persons(both).model_copy(update={"probability": None, "segments": ()})
        assert representative_person(nothing) is None and measured_values(nothing) == measured_values(
            nothing.model_copy(update={"persons": ()})
        )

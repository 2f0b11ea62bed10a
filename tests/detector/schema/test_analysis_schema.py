"""The published schema, and analyses as immutable values that round-trip."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from analyses import build
from clips import Analysed
from pydantic import ValidationError

from detector import Analysis, Parameters, Verdict
from detector.files import ROOT
from detector.schema.analysis import Answers, Cause, Joint, ManipulationKind, OtherModel, Ran, Scores
from detector.schema.joint import JointRule

PUBLISHED = ROOT / "docs" / "analysis.schema.json"


@pytest.fixture(scope="module")
def document(analysed_sample: Analysed) -> dict[str, Any]:
    """A real analysis as a program would read it."""
    return json.loads(analysed_sample.analysis.to_json())


def test_published_schema_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == Analysis.schema_text()


def test_schema_is_valid() -> None:
    schema = json.loads(Analysis.schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    top = {"verdict", "probability", "segments", "persons", "media", "model", "parameters", "coverage"}
    assert top <= set(schema["required"])


def test_a_real_analysis_is_valid(document: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "damage",
    [
        {"verdict": "real"},
        {"probability": 1.5},
        {"probability": "high"},
        {"surprise": 1},
        {"segments": [{"id": "A1"}]},
        {"persons": None},
    ],
)
def test_other_documents_are_refused(document: dict[str, Any], damage: dict[str, Any]) -> None:
    """By the schema, and by the code that reads it."""
    wrong = {**document, **damage}
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))
    assert not validator.is_valid(wrong)
    with pytest.raises(ValidationError):
        Analysis.from_json(json.dumps(wrong))


@pytest.mark.parametrize("missing", ["verdict", "segments", "media", "model", "software"])
def test_fields_are_required(document: dict[str, Any], missing: str) -> None:
    wrong = {key: value for key, value in document.items() if key != missing}
    validator = jsonschema.Draft202012Validator(json.loads(Analysis.schema_text()))
    assert not validator.is_valid(wrong)
    with pytest.raises(ValidationError):
        Analysis.from_json(json.dumps(wrong))


def test_round_trip(analysed_sample: Analysed) -> None:
    analysis = analysed_sample.analysis
    text = analysis.to_json()
    assert Analysis.from_json(text) == analysis
    assert Analysis.from_json(text.encode()) == analysis
    assert Analysis.from_json(text).to_json() == text


def test_analysis_is_immutable(analysed_sample: Analysed) -> None:
    analysis = analysed_sample.analysis
    for value, name in (
        (analysis, "verdict"),
        (analysis.media, "sha256"),
        (analysis.persons[0], "id"),
        (analysis.persons[0].scores[0], "logit"),
        (analysis.parameters, "sample_rate"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(value, name, None)
    assert isinstance(analysis.persons, tuple) and isinstance(analysis.persons[0].scores, Scores)


def test_keys_other_programs_read(document: dict[str, Any]) -> None:
    assert document["verdict"] in [str(v) for v in Verdict]
    assert {"width", "height", "duration", "sha256"} <= set(document["media"])
    for person in document["persons"]:
        assert {"id", "median_box", "scores"} <= set(person) and len(person["median_box"]) == 4
        assert {"time", "probability", "box"} <= set(person["scores"][0])
    ids = {person["id"] for person in document["persons"]}
    for segment in document["segments"]:
        assert segment["person"] in ids
        assert {"start", "end", "confidence", "peaks"} <= set(segment)
        for peak in segment["peaks"]:
            assert {"time", "overlay", "check"} <= set(peak)


def test_nan_and_infinity_are_refused() -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            Parameters(median_window=value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_rate": 0},
        {"sample_rate": -1},
        {"sample_rate": 1000},
        {"enter_threshold": 1.0},
        {"exit_threshold": 0},
        {"merge_gap": -0.1},
        {"minimum_usable_frames": 0},
        {"speed": 3},
    ],
)
def test_parameters_outside_their_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Parameters(**wrong)  # type: ignore[arg-type]


def test_default_parameters_are_those_documented() -> None:
    given = Parameters()
    assert (given.sample_rate, given.bridge_gap, given.merge_gap, given.minimum_duration) == (
        8,
        0.75,
        0.5,
        0.5,
    )
    assert given.exit_threshold < given.enter_threshold


def test_an_analysis_of_before_1_2_still_loads(document: dict[str, Any]) -> None:
    """What 1.2 added is left out, as an older file has it."""
    old = json.loads(json.dumps(document))
    old["schema_version"] = "1.1"
    for part, names in {
        "media": ("details", "anomalies", "credentials"),
        "model": ("rates", "validated"),
        "coverage": ("quality",),
    }.items():
        for name in names:
            del old[part][name]
    old["software"] = {name: old["software"][name] for name in ("reelproof", "torch", "device", "created")}
    analysis = Analysis.from_json(json.dumps(old))
    assert analysis.schema_version == "1.1"
    assert analysis.media.details is None and analysis.model.rates == () and analysis.software.command is None


def test_sample_has_complete_details(analysed_sample: Analysed) -> None:
    analysis = analysed_sample.analysis
    media = analysis.media
    assert media.details is not None and media.details.groups is not None
    assert media.details.groups.packets == media.frames
    assert media.credentials is not None and (media.credentials.checked, media.credentials.found) == (
        True,
        False,
    )
    assert [anomaly.kind for anomaly in media.anomalies] == ["converted"]
    assert analysis.coverage.quality is not None and analysis.coverage.quality.width.median > 48
    assert analysis.model.rates and analysis.model.validated
    assert analysis.software.command == (
        "python -m detector analyze sample.mp4 --model reelproof --out again"
    )


def test_answers_in_segments_decide_the_kind(analysed_sample: Analysed) -> None:
    """A face is blended over another in a third of it; in the rest that person looks a little generated."""
    analysis = analysed_sample.analysis
    look = analysis.persons[0].second_look
    assert look is not None and look.in_segments is not None
    assert look.altered < look.synthesised < look.in_segments.synthesised < look.in_segments.altered
    assert analysis.kind is ManipulationKind.EDITED
    assert "the traces are those of a face that was replaced or altered" in analysis.reason
    assert all(other.second_look.in_segments is None for other in analysis.persons[1:] if other.second_look)


@pytest.mark.parametrize(("version", "interval"), [("1.0", 0.0), ("1.2", 0.0), ("1.3", 8.0)])
def test_older_analyses_searched_every_frame(document: dict[str, Any], version: str, interval: float) -> None:
    old = json.loads(json.dumps(document)) | {"schema_version": version}
    old["parameters"].pop("search_interval", None)
    assert Analysis.from_json(json.dumps(old)).parameters.search_interval == interval
    old["parameters"]["search_interval"] = 1.5
    assert Analysis.from_json(json.dumps(old)).parameters.search_interval == 1.5


@pytest.mark.parametrize(("version", "window"), [("1.0", 0.0), ("1.3", 0.0), ("1.4", 1.0)])
def test_older_analyses_judged_sampled_frames_only(
    document: dict[str, Any], version: str, window: float
) -> None:
    old = json.loads(json.dumps(document)) | {"schema_version": version}
    old["parameters"].pop("edge_window", None)
    assert Analysis.from_json(json.dumps(old)).parameters.edge_window == window
    old["parameters"]["edge_window"] = 0.5
    assert Analysis.from_json(json.dumps(old)).parameters.edge_window == 0.5


def test_analyses_before_1_6_have_no_declarations(document: dict[str, Any]) -> None:
    old = json.loads(json.dumps(document)) | {"schema_version": "1.5"}
    old.pop("declarations", None)
    assert Analysis.from_json(json.dumps(old)).declarations is None


def test_analyses_before_1_8_have_no_kind_and_judged_every_photograph(document: dict[str, Any]) -> None:
    """Read as if nothing had been outside the range of photographs, so that they are repeated alike."""
    old = json.loads(json.dumps(document)) | {"schema_version": "1.7"}
    ranges = ("minimum_colour", "minimum_detail", "maximum_flatness")
    for name in ranges:
        assert old["parameters"].pop(name) > 0
    old.pop("kind")
    old["coverage"].pop("flaws")
    read = Analysis.from_json(json.dumps(old))
    assert read.kind is None and read.coverage.flaws == {}
    assert [getattr(read.parameters, name) for name in ranges] == [0, 0, 0]


def test_fields_belong_to_the_exhibit_or_a_model(tmp_path: Path) -> None:
    """Else what the first model says of an exhibit is told as if another one had said it."""
    analysis = build(tmp_path, kept=False).model_copy(
        update={
            "kind": ManipulationKind.EDITED,
            "answers": Answers(altered=0.9, synthesised=0.1),
            "stability": 0.9,
            "joint": Joint(rule=JointRule.ALL, verdict=Verdict.MANIPULATED, reason=""),
        }
    )
    model = analysis.model.model_copy(update={"name": "other"})
    other = OtherModel(
        model=model,
        verdict=Verdict.NOT_FOUND,
        reason="other",
        causes=(Cause(code="mostly_grey"),),
        probability=0.1,
        segments=analysis.segments[:1],
        persons=analysis.persons[:1],
        ran=Ran(backend="torch", precision="float32", device="cpu"),
    )
    full_analysis = analysis.model_copy(update={"others": (other,)})
    alone = full_analysis.by(other)
    kept = {name for name in Analysis.model_fields if getattr(alone, name) is getattr(full_analysis, name)}
    assert kept == {
        "schema_version", "declarations", "marks", "picture", "boxed", "media", "parameters", "coverage",
        "software", "voice", "explained",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["analysis", "comparison", "validation"])
def test_notes_of_fields_name_releases(kind: str) -> None:
    """Not versions of the schema, which no reader has."""
    text = (ROOT / "docs" / f"{kind}.schema.json").read_text("utf-8")
    named = set(re.findall(r"\b(?:since|before) (?:schema |version )?(\d+\.\d+)\b", text))
    assert named <= {"0.2", "0.3"}

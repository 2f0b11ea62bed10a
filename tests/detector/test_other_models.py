"""Several models in one analysis: each judges the same faces, the first decides, a rule joins them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import ALL_FLAGGED, room
from onnx_models import put

from detector import analyze
from detector.errors import ModelError, ParameterError
from detector.models.loaded import LoadedModel, load_model
from detector.schema.analysis import Analysis, MediaKind, Parameters, Verdict
from detector.schema.joint import MOST_OTHERS, JointRule
from detector.scoring.scorer import Scorer
from detector.verdict.derived_fields import contradictions
from detector.verdict.verdict import joint_verdict
from reports.report_view import report_view
from verification.agreement import compare_analyses

PARAMETERS = Parameters(**ALL_FLAGGED | {"second_look": 0})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("several") / "clip.mp4"
    write_clip(path, [room(astronaut, 640, 480, 400, 110 + number % 6) for number in range(40)], rate=25)
    return path


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(put(tmp_path_factory.mktemp("model"), "tiny", temperature=0.02))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("result")


@pytest.fixture(scope="module")
def several(clip: Path, other: LoadedModel, model: LoadedModel, folder: Path) -> Analysis:
    return analyze(
        clip,
        model=model,
        also=[other, "efficientnet-lstm"],
        joint=JointRule.ALL,
        parameters=PARAMETERS,
        images=folder,
    )


def test_primary_model_is_unaffected_by_others(several: Analysis, clip: Path, model: LoadedModel) -> None:
    alone = analyze(clip, model=model, parameters=PARAMETERS)
    assert not compare_analyses(alone, several.model_copy(update={"others": (), "joint": None})).problems


def test_each_model_judges_the_same_faces(several: Analysis, clip: Path, other: LoadedModel) -> None:
    first = several.persons[0]
    assert [result.model.name for result in several.others] == ["tiny", "efficientnet-lstm"]
    for result in several.others:
        (person,) = result.persons
        assert (person.id, person.tracks) == (first.id, first.tracks)
        times = person.scores.time.tolist()
        assert set(times) <= set(first.scores.time.tolist()) and len(times) == several.coverage.frames_sampled
        assert result.verdict is Verdict.MANIPULATED and result.ran.precision == "float32"
    tiny = several.others[0]
    assert tiny.model.onnx is not None and tiny.model.onnx.framing.box == 1.3
    # Its scores are those of its own crops.
    score = tiny.persons[0].scores[0]
    capture = cv2.VideoCapture(str(clip))
    image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    scorer = Scorer(other)
    from detector.faces.crop import crop_square

    crop = crop_square(image, scorer.square(score.box, 0.0), scorer.card.input.size)
    assert score.logit == pytest.approx(scorer.logits([crop])[0], abs=0.02)


def test_segments_of_each_model_are_explained(several: Analysis, folder: Path) -> None:
    for number, result in enumerate(several.others, start=2):
        (segment,) = result.segments
        assert segment.peaks
        for rank, peak in enumerate(segment.peaks, start=1):
            assert peak.overlay == f"overlays/model{number}-{segment.id}-{rank}.png"
            assert peak.check.area == pytest.approx(0.15, abs=0.01)
    for segment in several.every_segment:
        assert all(
            (folder / path).is_file() for peak in segment.peaks for path in (peak.frame, peak.map) if path
        )


def test_report_shows_all_models_and_their_pictures(several: Analysis, folder: Path) -> None:
    view = report_view(several, folder)
    assert view.others is not None
    assert [row.title for row in view.others.rows] == [
        several.model.title,
        *(other.model.title for other in several.others),
    ]
    assert [lane.detail for lane in view.timeline.lanes] == ["1 reelproof", "2 tiny", "3 efficientn…"]
    pictures = {
        path for s in several.every_segment for p in s.peaks for path in (p.frame, p.overlay, p.map) if path
    }
    strips = {face.picture for segment in several.every_segment for face in segment.strip}
    assert strips and pictures | strips == set(view.kept)
    assert ("3 models together", view.answers[-1][1]) == view.answers[-1]
    assert "all three" not in view.answers[-1][1] and view.answers[-1][1].startswith(
        "Manipulated. Rule: the verdict on which all models agree"
    )


def test_as_json_and_back(several: Analysis) -> None:
    assert Analysis.from_json(several.to_json()) == several
    assert "--model reelproof --also tiny.onnx --also efficientnet-lstm --joint all" in str(
        several.software.command
    )


def test_difference_of_a_further_model_is_reported(several: Analysis) -> None:
    result = several.others[0].model_copy(update={"verdict": Verdict.NOT_FOUND})
    again = several.model_copy(update={"others": (result, *several.others[1:])})
    assert compare_analyses(several, again).problems == (
        "by model 2, verdict is no manipulation found, where manipulated is recorded",
    )


def test_a_photograph(tmp_path: Path, astronaut: np.ndarray, model: LoadedModel, other: LoadedModel) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    analysis = analyze(photo, model=model.alone, also=[other], parameters=PARAMETERS, images=tmp_path)
    assert analysis.media.kind is MediaKind.IMAGE and analysis.joint is not None
    assert analysis.joint.rule is JointRule.FIRST and analysis.joint.verdict is analysis.verdict
    view = report_view(analysis, tmp_path)
    assert len(view.timeline.lanes) == 2 and view.timeline.lanes[1].detail.startswith("2 ")
    assert view.timeline.lanes[1].figure == view.others.rows[1].figure  # type: ignore[union-attr]


def test_further_model_records_its_fused_calibration(
    tmp_path: Path, astronaut: np.ndarray, fused: LoadedModel, other: LoadedModel
) -> None:
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    analysis = analyze(photo, model=other, also=[fused])
    (judged,) = analysis.others
    assert judged.model == fused.card.fused.as_model() != fused.card.as_model()
    assert judged.persons[0].second_look is not None
    assert list(contradictions(analysis, this_version=True)) == []


def test_no_joint_verdict_without_further_models(clip: Path, model: LoadedModel, tmp_path: Path) -> None:
    alone = analyze(clip, model=model.alone, parameters=PARAMETERS)
    assert alone.others == () and alone.joint is None
    view = report_view(alone, tmp_path)
    assert view.others is None and "others" not in view.sections


def test_invalid_further_models(clip: Path, model: LoadedModel) -> None:
    with pytest.raises(ModelError, match="named twice"):
        analyze(clip, model=model, also=["efficientnet-lstm", "efficientnet-lstm"])
    with pytest.raises(ModelError, match="named twice"):
        analyze(clip, model=model, also=[model])
    with pytest.raises(ParameterError, match="At most 8 other models"):
        analyze(clip, model=model, also=["efficientnet-lstm"] * (MOST_OTHERS + 1))
    with pytest.raises(ParameterError, match="Name others"):
        analyze(clip, model=model, joint=JointRule.ANY)


M, N, U = Verdict.MANIPULATED, Verdict.NOT_FOUND, Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rule", "verdicts", "together"),
    [
        (JointRule.FIRST, (N, M, M), N),
        (JointRule.ANY, (N, M, U), M),
        (JointRule.ANY, (N, N, N), N),
        (JointRule.ANY, (N, U, N), U),
        (JointRule.MAJORITY, (N, M, M), M),
        (JointRule.MAJORITY, (M, N), U),
        (JointRule.MAJORITY, (N, N, M), N),
        (JointRule.ALL, (M, M, M), M),
        (JointRule.ALL, (M, M, N), U),
    ],
)
def test_the_rules(rule: JointRule, verdicts: tuple[Verdict, ...], together: Verdict) -> None:
    joint = joint_verdict(
        rule, [(f"Model {number}", verdict) for number, verdict in enumerate(verdicts, start=1)]
    )
    assert joint.verdict is together and joint.causes[0].code == f"rule_{rule}"
    assert all(str(verdict) in joint.reason.lower() for verdict in verdicts)

"""A network in an ONNX file as the model that decides: alone, explained by occlusion, and measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_clips import ALL_FLAGGED
from onnx_models import put
from told import procedure

from detector import analyze
from detector.batch.run import BatchRun
from detector.errors import ModelError
from detector.model_export import export
from detector.schema.analysis import Analysis, Parameters
from detector.validation.validated_model import validated_model
from reports.annex import glossary
from reports.report_view import report_view


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def analysis(tiny: Path, material: Path, pictures: Path) -> Analysis:
    return analyze(
        material / "fake" / "fake.mp4", model=tiny, parameters=Parameters(**ALL_FLAGGED), images=pictures
    )


def test_onnx_model_decides_alone(analysis: Analysis) -> None:
    """No second look is taken, although the parameters ask for one."""
    model = analysis.model
    assert model.name == "tiny" and model.onnx is not None and model.second_look is None
    assert analysis.parameters.second_look == 2 and analysis.answers is None
    assert analysis.segments and analysis.others == () and analysis.joint is None


def test_onnx_model_is_explained_by_occlusion(analysis: Analysis, pictures: Path) -> None:
    peak = analysis.segments[0].peaks[0]
    assert peak.overlay is not None and (pictures / peak.overlay).is_file()
    terms = " ".join(words for _, words in glossary(analysis, section=5))
    assert "an occlusion map" in procedure(analysis) and "(method: occlusion map)" in terms
    assert "Grad-CAM" not in procedure(analysis) + terms


def test_report_of_an_onnx_model(analysis: Analysis, pictures: Path) -> None:
    assert "tiny" in {fact.value for fact in report_view(analysis, pictures).model.facts}


def test_torch_features_are_rejected(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="of which only scores can be had"):
        export(tiny, tmp_path / "out")


def test_batch_of_files(tiny: Path, material: Path) -> None:
    lines = list(BatchRun([material / "real" / "real.png"], str(tiny), Parameters(), workers=1).lines())
    assert lines[0]["faces"] == 1 and lines[0]["answers"] is None


def test_validation_covers_weights_framing_and_calibration(tiny: Path, tmp_path: Path) -> None:
    then = validated_model(tiny)
    assert then.name == "tiny" and then.second_look is None
    output = {"gives": "logit"}
    for changes in ({"temperature": 2.0}, {"onnx": {"framing": {"box": 2}, "output": output}}):
        other = put(tmp_path, "tiny", **{"temperature": 0.02, **changes})
        assert validated_model(other).card_sha256 != then.card_sha256

"""The example of docs/external-models.md creates a model that the Models page accepts."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from detector.files import ROOT
from detector.models.loaded import load_model
from detector.models.model_files import load_card
from detector.scoring.scorer import Scorer
from webapp.installed_models.check import check_model


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example was executed."""
    folder = tmp_path_factory.mktemp("example")
    text = (ROOT / "docs" / "external-models.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter uses what torch itself has given up
        patch.chdir(folder)
        exec(compile(code, "docs/external-models.md", "exec"), {})
    return folder


def test_documented_example_creates_a_model(written: Path) -> None:
    card, weights = load_card(written / "my-detector.onnx")
    assert card.onnx is not None and weights.stat().st_size > 40_000_000
    scorer = Scorer(load_model(weights))
    crops = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    assert np.isfinite(scorer.logits(list(crops))).all()


def test_example_is_accepted_by_the_models_page(written: Path) -> None:
    check_model(written / "my-detector.json")

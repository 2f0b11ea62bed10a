"""The example of training/docs/training.md creates a model that the Models page accepts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from detector.files import ROOT
from detector.models.loaded import load_model
from detector.scoring.scorer import Scorer
from webapp.installed_models.check import check_model


def test_documented_example_creates_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "training" / "docs" / "training.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "training/docs/training.md", "exec"), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "my-model.json",
        "my-model.md",
        "my-model.safetensors",
    ]
    scorer = Scorer(load_model(tmp_path / "my-model.json"))
    crops = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    assert np.isfinite(scorer.logits(list(crops))).all()
    check_model(tmp_path / "my-model.json")

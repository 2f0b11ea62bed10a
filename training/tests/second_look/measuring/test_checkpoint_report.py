"""What is measured of a checkpoint: scores are kept for its weights and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from second_look_cases import SmallFramings, patch

from detector.models.card import FUSION_INPUTS
from detector.models.loaded import LoadedModel
from detector.networks.vit_small_14 import FramingNetwork
from detector.scoring.fusion import SCAN
from detector.scoring.scorer import Scorer
from training.second_look.examples.patches import store
from training.second_look.fitting.patch_scores import fusion_columns, read_network
from training.second_look.measuring import checkpoint_report


@pytest.mark.usefixtures("one_seed", "small_framings")
def test_scores_kept_for_other_weights_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LoadedModel
) -> None:
    develop = [patch(i, fake, role="develop") for i in range(2) for fake in (False, True)]
    store(tmp_path, "clips", [*develop, patch(9)])
    name, read = SmallFramings.architecture, []

    def noted(weights: Path, architecture: str | None) -> FramingNetwork:
        read.append(read_network(weights, architecture))
        return read[-1]

    monkeypatch.setattr(checkpoint_report, "read_network", noted)
    scorer = Scorer(model.alone)
    (shipped := tmp_path / "models").mkdir()
    (run := tmp_path / "run").mkdir()
    inputs = checkpoint_report.Inputs(shipped / "best.pt", scorer, tmp_path, run, architecture=name)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        torch.save(SmallFramings().state_dict(), inputs.weights)
        results.append(inputs.clips("clips"))
    first, again, other = (clips.scores for clips in results)
    assert [clips.files for clips in results] == [[example.file for example in develop]] * 3
    assert len(read) == 2, "scores of the same weights are kept"
    assert np.array_equal(first, again) and first.shape == (4, len(FUSION_INPUTS))
    assert np.array_equal(first[:, SCAN], other[:, SCAN]) and (first[:, 1:] != other[:, 1:]).all()
    assert len(list(run.iterdir())) == 2 and list(shipped.iterdir()) == [inputs.weights], "beside what ships"
    np.testing.assert_array_equal(other, fusion_columns(read[1], scorer, develop))

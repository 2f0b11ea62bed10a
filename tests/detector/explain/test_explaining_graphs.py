"""Graphs of heatmaps: the same numbers as pytorch-grad-cam and autograd give in torch, and without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from detector.backends import explaining
from detector.backends.explaining import CamGraph, PatchGraphs, explaining_graphs
from detector.backends.torch import prepare_images
from detector.explain.change import token_distances
from detector.explain.heatmaps import _of_network
from detector.files import ROOT
from detector.models.loaded import LoadedModel
from detector.networks.graphs import ALTERED, INNER, PHOTOGRAPH, QUESTIONS, READINGS, outputs_of
from detector.scoring.fusion import SeenCrop

# Of the tuned blocks, of a window, and of a photograph, to which both parts add.
OUTPUTS = (outputs_of(INNER)[ALTERED], READINGS * QUESTIONS + 1, outputs_of(PHOTOGRAPH)[ALTERED])


@pytest.fixture(params=["float32", "bfloat16"])
def tolerance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """The share of the largest value by which a map may differ."""
    if request.param == "bfloat16" and not explaining.knows_bfloat16():
        pytest.skip("this processor has no bfloat16")
    monkeypatch.setattr(explaining, "knows_bfloat16", lambda: request.param == "bfloat16")
    monkeypatch.setattr(explaining, "_OPENED", type(explaining._OPENED)())
    return 1e-3 if request.param == "float32" else 0.1


@pytest.fixture(scope="module")
def picture(crop: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(crop, (224, 224), interpolation=cv2.INTER_CUBIC)


def near(values: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    return float(np.abs(values - expected).max()) <= tolerance * float(np.abs(expected).max())


def test_maps_and_copies_of_a_transformer(model: LoadedModel, picture: np.ndarray, tolerance: float) -> None:
    second = model.second_look
    assert second is not None
    graphs, network = explaining_graphs(second), second.network
    assert isinstance(graphs, PatchGraphs)
    given = second.card.input
    hidden = np.random.default_rng(0).random((2, 256)) < 0.15
    for output in OUTPUTS:
        tokens = network.lower_tokens(prepare_images([picture], given, torch.device("cpu")))
        weights = torch.ones(1, 257, requires_grad=True)
        logit = network.score_patches(tokens, (output,), weights)[0, output]
        (falls,) = torch.autograd.grad(logit, weights)
        look = graphs.look(picture, output)
        assert look.logit == pytest.approx(float(logit.detach()), abs=tolerance)
        assert near(look.falls.ravel(), falls[0, 1:].numpy(), tolerance)
        own, torchs = (_of_network(SeenCrop(picture, by, given, output)) for by in (graphs, network))
        assert near(own, torchs, 2 * tolerance)
        kept = [torch.from_numpy(np.append(True, ~mask)) for mask in hidden]
        with torch.no_grad():
            expected = [float(network.score_patches(tokens[:, k], (output,))[0, output]) for k in kept]
        logits = graphs.without(look.tokens, output, list(hidden))
        assert logits == pytest.approx(expected, abs=tolerance)


def test_maps_of_changes(model: LoadedModel, picture: np.ndarray, tolerance: float) -> None:
    second = model.second_look
    assert second is not None
    graphs, other = explaining_graphs(second), picture[:, ::-1]
    assert isinstance(graphs, PatchGraphs)
    own, torchs = (token_distances(by, second.card.input, picture, other) for by in (graphs, second.network))
    assert near(own, torchs, tolerance)


def test_grad_cam_of_the_scan(model: LoadedModel, crop: np.ndarray, tolerance: float) -> None:
    scan = model.alone
    graph = explaining_graphs(scan)
    assert isinstance(graph, CamGraph)
    own, torchs = (_of_network(SeenCrop(crop, by, scan.card.input)) for by in (graph, scan.network))
    assert near(own, torchs, 2 * tolerance)


def test_a_face_is_explained_without_torch() -> None:
    code = """
import sys
from tests import bench_explanations
sys.argv = ["bench"]
bench_explanations.main()
assert not {"torch", "timm", "pytorch_grad_cam"} & sys.modules.keys(), "torch was imported"
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

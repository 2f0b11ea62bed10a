"""A model written for other programs: it says what torch says, or is not written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cli.engine.main import main
from detector import model_export as exporting
from detector.backends.runtimes import import_onnxruntime, openvino_core
from detector.errors import ModelError
from detector.model_export import TOLERANCE, export, faces
from detector.models.loaded import LoadedModel, load_model
from detector.models.model_files import DEFAULT_MODEL, MODELS_FOLDER
from detector.networks import graphs
from detector.networks.base import Network, SequenceNetwork
from detector.networks.trace_graphs import trace
from detector.scoring.scorer import Scorer


@pytest.fixture(scope="module", autouse=True)
def _found_once() -> Iterator[None]:
    """The faces that every export is checked on."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exporting, "faces", cache(faces))
        yield


@pytest.fixture(scope="module")
def crops(_found_once: None) -> np.ndarray:
    return exporting.faces(128)


def expected(model: LoadedModel, crops: np.ndarray) -> np.ndarray:
    return Scorer(model, torch.device("cpu")).logits(list(crops))


def test_faces_for_the_check(model: LoadedModel, crops: np.ndarray) -> None:
    """Twenty-four that are not alike, and are not all judged alike."""
    assert crops.shape == (24, 128, 128, 3) and crops.dtype == np.uint8
    assert len({crop.tobytes() for crop in crops}) == 24
    assert expected(model, crops).std() > 0.5


def test_card_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    for ending in (".json", ".safetensors"):
        shutil.copy(MODELS_FOLDER / f"{DEFAULT_MODEL}{ending}", tmp_path / f"other{ending}")
    card = tmp_path / "other.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "name": "../../elsewhere"}))
    with pytest.raises(ModelError, match="name cannot be used"):
        export(card, tmp_path / "new" / "one")
    assert not list(tmp_path.rglob("elsewhere*"))


def test_onnx(
    model: LoadedModel, crops: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--to", str(tmp_path / "new")]) == 0
    facts = json.loads((tmp_path / "new" / "reelproof.onnx.json").read_text())
    (part,) = facts["parts"]
    (file,) = part["files"]
    data = (tmp_path / "new" / "reelproof.onnx").read_bytes()
    assert (file["bytes"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert facts["weights_sha256"] == model.card.sha256 and facts["check"]["tolerance"] == TOLERANCE
    assert 0 <= part["difference"] <= TOLERANCE
    assert file["sha256"] in capsys.readouterr().out
    written = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert written == ["reelproof.onnx", "reelproof.onnx.json"]
    # As any other program would use it.
    session = import_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("crops", "tensor(uint8)", [128, 128, 3])
    (logits,) = session.run(None, {"crops": crops[:5]})
    assert logits == pytest.approx(expected(model, crops[:5]), abs=TOLERANCE)


def test_openvino(model: LoadedModel, crops: np.ndarray, tmp_path: Path) -> None:
    facts = export("reelproof", tmp_path, "openvino")
    assert [file["file"] for file in facts["parts"][0]["files"]] == ["reelproof.xml", "reelproof.bin"]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(tmp_path / "reelproof.xml", "CPU", settings)
    assert compiled(crops)[0] == pytest.approx(expected(model, crops), abs=TOLERANCE)


def test_a_sequence_network_becomes_two_parts(crops: np.ndarray, tmp_path: Path) -> None:
    """Features of crops one by one, then windows of them; as an analysis of a track does it."""
    facts = export("efficientnet-lstm", tmp_path)
    assert [part["part"] for part in facts["parts"]] == ["features", "judge"]
    sessions = [
        import_onnxruntime().InferenceSession(
            tmp_path / part["files"][0]["file"], providers=["CPUExecutionProvider"]
        )
        for part in facts["parts"]
    ]
    model = load_model("efficientnet-lstm")
    assert isinstance(model.network, SequenceNetwork)
    (features,) = sessions[0].run(None, {"crops": crops})
    scorer = Scorer(model, torch.device("cpu"))
    assert features == pytest.approx(np.stack(scorer.features(list(crops))), abs=TOLERANCE)
    for length in (1, 7, model.network.window):  # a short track is one window
        (logits,) = sessions[1].run(None, {"features": features[None, :length]})
        track_logits = scorer.track_logits(list(features[:length]))
        assert logits[0] == pytest.approx(track_logits[len(track_logits) // 2], abs=TOLERANCE)


def test_deviating_export_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that is a little wrong: its preprocessing is another's."""
    bound = graphs.bind

    def wrong(graph: Any, mean: Any, std: Any, tensors: Any) -> bytes:
        return bound(graph, tuple(value + 0.02 for value in mean), std, tensors)

    monkeypatch.setattr(exporting.graphs, "bind", wrong)
    (tmp_path / "reelproof.onnx").write_text("an earlier one")
    with pytest.raises(ModelError, match="from torch's on 24 faces; at most 0.001"):
        export("reelproof", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["reelproof.onnx"]
    assert (tmp_path / "reelproof.onnx").read_text() == "an earlier one"


def test_nan_is_a_deviation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = graphs.bind
    nan = float("nan")
    monkeypatch.setattr(exporting.graphs, "bind", lambda g, m, s, t: bound(g, (nan, nan, nan), s, t))
    with pytest.raises(ModelError, match="Nothing was written"):
        export("reelproof", tmp_path)


class Small(Network):
    """A network that is traced in a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.judge = nn.Linear(4, 1)

    @property
    def cam_layers(self) -> tuple[nn.Module, ...]:
        return (self.look,)

    def forward(self, crops: Tensor) -> Tensor:
        logits: Tensor = self.judge(self.look(crops).mean(dim=(2, 3)))
        return logits[:, 0]


def test_size_without_a_shipped_graph(model: LoadedModel, crops: np.ndarray) -> None:
    """It is traced then, and says the same as torch at that size."""
    torch.manual_seed(0)
    card = model.card.model_copy(update={"architecture": "small"})
    other = LoadedModel(card, Small().eval().requires_grad_(False))
    given = np.ascontiguousarray(crops[:3, ::2, ::2])
    graph = trace(other.network, 64)
    tensors = {name: value.numpy() for name, value in other.network.state_dict().items()}
    data = graphs.bind(graph, card.input.mean, card.input.std, tensors)
    session = import_onnxruntime().InferenceSession(data, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"crops": given})
    assert logits == pytest.approx(expected(other, given), abs=TOLERANCE)


def test_unknown_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["export", "nosuch", "--to", str(tmp_path)]) == 2
    assert "nosuch.json not found" in capsys.readouterr().err

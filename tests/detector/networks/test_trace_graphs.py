"""The command that writes the shipped graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import ModelProto

from detector.networks import trace_graphs


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trace_graphs, "GRAPH_FOLDER", tmp_path)
    return tmp_path


def test_asking_for_help_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        trace_graphs.main(["--help"])
    assert ended.value.code == 0 and not list(folder.iterdir())
    assert "vit_small_14_patch_heads" in capsys.readouterr().out


def test_only_named_architectures_are_traced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_graphs, "trace", lambda network, size: ModelProto(producer_name=f"{size}"))
    assert trace_graphs.main(["resnet18"]) == 0
    (written,) = folder.iterdir()
    assert written.name == "resnet18-128.onnx"
    assert ModelProto.FromString(written.read_bytes()).producer_name == "128"


def test_a_name_that_is_not_listed_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        trace_graphs.main(["resnet18", "my_network"])
    assert ended.value.code == 2 and not list(folder.iterdir())
    assert "my_network: add it with its size to SHIPPED_GRAPHS" in capsys.readouterr().err

"""An analysis in a confined process, as the shell's commands make it."""

from __future__ import annotations

from pathlib import Path

from clips import numbered, write_clip

from detector.models.model_files import DEFAULT_MODEL
from detector.sandboxed_engine import analyze_confined


def test_requested_back_end_is_used(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("REELPROOF_BACKEND", "openvino")
    (folder := tmp_path / "result").mkdir()
    clip = write_clip(tmp_path / "clip.mp4", map(numbered, range(4)))
    made = analyze_confined(clip, folder, backend="onnxruntime")
    assert made.software.backend and made.software.backend.startswith("ONNX Runtime")


def test_model_name_wins_over_a_folder(tmp_path: Path, monkeypatch) -> None:
    """As where the command runs beside a checkout of the program."""
    monkeypatch.chdir(tmp_path)
    for name in ("result", DEFAULT_MODEL):
        (tmp_path / name).mkdir()
    clip = write_clip(tmp_path / "clip.mp4", map(numbered, range(4)))
    assert analyze_confined(clip, Path("result"), model=DEFAULT_MODEL).model.name == DEFAULT_MODEL

"""The network of Chatterbox's mark, its weights and its spectra, compared with torch's."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from perth_writer import speech_like, write_mark
from torch.nn import functional

from detector.marks import perth
from detector.marks.perth import PerthDecoder, read_tensors, restore, transform, weights_path
from detector.voice import runtime


@pytest.fixture(scope="module")
def weights() -> Path:
    path = weights_path()
    assert path is not None, "resemble-perth is in requirements.txt"
    return path


def strength_by_torch(weights: Path, samples: np.ndarray) -> float:
    """The strength as ``perth.perth_net.perth_net_implicit`` has it."""
    state = torch.load(weights, map_location="cpu", weights_only=True)["model"]
    window = torch.hann_window(2048)
    spectrum = torch.stft(torch.from_numpy(samples), 2048, 320, window=window, return_complex=True)
    magnitudes = ((20 * torch.log10(spectrum.abs().clamp(min=1e-9)) + 180) / 195)[None]
    loudness = magnitudes.sum(dim=1)
    loud = (loudness > 0.05 * loudness.max()).float()[:, None]
    means = []
    for name, speed in (("slow", 1.25), ("normal", 1.0), ("fast", 0.75)):
        count = int(loud.shape[2] * speed)
        values = functional.interpolate(magnitudes[:, :128], size=count, mode="linear", align_corners=True)
        counted = functional.interpolate(loud, size=count, mode="nearest")
        for number in range(7):
            layer = f"decoder.{name}_layers.{number}.conv"
            weight, bias = state[f"{layer}.weight"], state[f"{layer}.bias"]
            values = functional.conv1d(values, weight, bias, padding=weight.shape[2] // 2)
            values = functional.leaky_relu(values) if number < 6 else values
        means.append((values * counted).sum(dim=2)[0] / counted.sum())
    shares, marks = torch.stack(means).T
    return float((torch.softmax(shares, dim=0) * marks).sum().clamp(0, 1))


@pytest.mark.parametrize("openvino", [True, False], ids=["OpenVINO", "ONNX Runtime"])
def test_the_network_answers_as_in_torch(
    weights: Path, openvino: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "available_backends", lambda: ["openvino"] if openvino else [])
    perth._network.cache_clear()
    plain = speech_like(3)
    plain[40_000:60_000] = 0  # moments that do not count
    marked = write_mark(plain)
    for sound in (plain, marked, 0.5 * plain[:44_444] + 0.5 * marked[:44_444]):
        strength = PerthDecoder(weights).strength(sound)
        assert strength == pytest.approx(strength_by_torch(weights, sound), abs=1e-4)
    perth._network.cache_clear()


def test_spectra_are_those_of_torch() -> None:
    samples, window = speech_like(2)[:50_123], torch.hann_window(2048)
    expected = torch.stft(torch.from_numpy(samples), 2048, 320, window=window, return_complex=True)
    spectrum = transform(samples)
    assert np.allclose(spectrum, expected.numpy(), atol=1e-4)
    halved = spectrum * np.linspace(1, 0, len(spectrum), dtype=np.float32)[:, None]
    expected = torch.istft(torch.from_numpy(halved), 2048, 320, window=window, length=len(samples))
    assert np.allclose(restore(halved, len(samples)), expected.numpy(), atol=1e-5)


def test_weights_are_read_as_by_torch(weights: Path) -> None:
    expected = torch.load(weights, map_location="cpu", weights_only=True)["model"]
    tensors = read_tensors(weights)["model"]
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name].numpy()) for name in expected)


def saved(folder: Path, value: object) -> Path:
    file = io.BytesIO()  # into a path torch would write under another name
    torch.save({"model": value}, file)
    path = folder / "weights.pth.tar"
    path.write_bytes(file.getvalue())
    return path


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_weight_file_runs_no_code(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(pickle.UnpicklingError, match="is not read"):
        read_tensors(saved(tmp_path, _Trap(mark)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "tensor", [torch.zeros(4, 3).T, torch.zeros(2, 2, dtype=torch.float64)], ids=["turned", "float64"]
)
def test_a_tensor_of_another_kind_is_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read_tensors(saved(tmp_path, tensor))

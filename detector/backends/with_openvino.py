"""OpenVINO on the processor."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def imported() -> ModuleType:
    """The package ``openvino``, kept from reporting to its makers that it was imported.

    Its converter, which is imported with it and not needed here, does that by way of the package
    ``openvino_telemetry``. Both count as not installed in this process from now on.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    import openvino

    return openvino


class OpenVINO:
    """``network`` is an ONNX model in bytes (:func:`detector.backends.graphs.bound`).

    With ``rough`` it computes in bfloat16, where the processor knows that.
    """

    device = "cpu"

    def __init__(self, network: bytes, threads: int, rough: bool = False) -> None:
        openvino = imported()
        core = openvino.Core()
        rough = rough and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.name = "openvino-bf16" if rough else "openvino"
        self.precision = "bfloat16" if rough else "float32"
        self.version: str = openvino.__version__.partition("-")[0]
        self.threads = threads
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if rough else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request: Any = core.compile_model(
            core.read_model(network), "CPU", settings
        ).create_infer_request()

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.Backend`."""
        self._request.infer({0: np.ascontiguousarray(crops)}, share_inputs=True)
        # Copied: the next run writes to the same place.
        result: NDArray[np.float32] = self._request.get_output_tensor(0).data.copy()
        return result

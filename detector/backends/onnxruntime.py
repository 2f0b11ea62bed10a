"""ONNX Runtime on the processor."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detector.networks.graphs import CROPS

_ERRORS_ONLY = 3


class OnnxRuntime:
    """``network`` is an ONNX model in bytes (:func:`detector.networks.graphs.bound`)."""

    name = "onnxruntime"
    device = "cpu"
    precision = "float32"

    def __init__(self, network: bytes, threads: int) -> None:
        self.version: str = onnxruntime.__version__
        self.threads = threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.base.Backend`."""
        (out,) = self._session.run(None, {CROPS: np.ascontiguousarray(crops)})
        result: NDArray[np.float32] = out
        return result

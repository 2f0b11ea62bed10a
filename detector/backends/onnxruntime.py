"""ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.networks.graphs import CROPS

if TYPE_CHECKING:
    import onnxruntime

_ERRORS_ONLY = 3


class OnnxRuntime:
    """``network`` makes an ONNX model in bytes (:func:`detector.networks.graphs.bound`), when crops come."""

    name = "onnxruntime"
    device = "cpu"
    precision = "float32"

    def __init__(self, network: Callable[[], bytes], threads: int) -> None:
        self.version = metadata.version("onnxruntime")
        self.threads = threads
        self._network = network

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        return onnxruntime.InferenceSession(self._network(), options, providers=["CPUExecutionProvider"])

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.base.Backend`."""
        (out,) = self._session.run(None, {CROPS: np.ascontiguousarray(crops)})
        result: NDArray[np.float32] = out
        return result

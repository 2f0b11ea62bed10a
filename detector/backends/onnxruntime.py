"""ONNX Runtime on the processor."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from importlib import metadata
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.networks.graphs import CROPS

if TYPE_CHECKING:
    import onnxruntime

_ERRORS_ONLY = 3


def imported() -> ModuleType:
    """The package ``onnxruntime``, kept from reporting to its makers.

    Its builds keep an identifier of the machine in the home folder and send what they are used for, unless
    this variable is set before the first import (``Privacy.md`` of the package).
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


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
        runtime = imported()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        return runtime.InferenceSession(self._network(), options, providers=["CPUExecutionProvider"])

    def get_ready(self) -> None:
        """See :class:`detector.backends.base.Backend`."""
        _ = self._session

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.base.Backend`."""
        (out,) = self._session.run(None, {CROPS: np.ascontiguousarray(crops)})
        result: NDArray[np.float32] = out
        return result

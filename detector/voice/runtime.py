"""Run small ONNX graphs of sound: OpenVINO where it is installed, else ONNX Runtime.

The back end ``openvino-bf16``, where it is requested, rounds scores of voices as it rounds those of faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.backends.runtimes import knows_bfloat16, onnx_session, openvino_core
from detector.backends.selection import (
    REDUCED_PRECISION,
    available_backends,
    processor_threads,
    requested_backend,
)

Arrays = Sequence[NDArray[Any]]


class Runner(Protocol):
    """A graph that is ready to run."""

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        """Return the outputs, in the order of the graph."""


def open_graph(graph: bytes, threads: int | None = None, may_round: bool = False) -> Runner:
    """Compile an ONNX ``graph``; ``threads`` defaults to what other networks use.

    With ``may_round`` it computes in bfloat16 if that back end is requested and the processor knows it.
    """
    threads = threads or processor_threads()
    if "openvino" not in available_backends():
        return _OnnxRuntime(graph, threads)
    return _OpenVino(graph, threads, may_round and requested_backend() in REDUCED_PRECISION)


class _OpenVino:
    def __init__(self, graph: bytes, threads: int, rough: bool) -> None:
        precision = "bf16" if rough and knows_bfloat16() else "f32"
        compiled = openvino_core().compile_model(
            openvino_core().read_model(graph, b""),
            "CPU",
            {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads},
        )
        self._request, self._outputs = compiled.create_infer_request(), len(compiled.outputs)

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        self._request.infer({i: np.ascontiguousarray(value) for i, value in enumerate(inputs)})
        return [self._request.get_output_tensor(i).data.copy() for i in range(self._outputs)]


class _OnnxRuntime:
    def __init__(self, graph: bytes, threads: int) -> None:
        self._session = onnx_session(graph, threads)
        self._names = [given.name for given in self._session.get_inputs()]

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        outputs: Arrays = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        return outputs

"""Run small ONNX graphs of sound: OpenVINO where it is installed, else ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.backends.runtimes import import_onnxruntime, openvino_core
from detector.backends.selection import available_backends, processor_threads

Arrays = Sequence[NDArray[Any]]


class Runner(Protocol):
    """A graph that is ready to run."""

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        """Return the outputs, in the order of the graph."""


def open_graph(graph: bytes, threads: int | None = None) -> Runner:
    """Compile an ONNX ``graph``; ``threads`` is by default as for other networks."""
    threads = threads or processor_threads()
    return _OpenVino(graph, threads) if "openvino" in available_backends() else _OnnxRuntime(graph, threads)


class _OpenVino:
    def __init__(self, graph: bytes, threads: int) -> None:
        compiled = openvino_core().compile_model(
            openvino_core().read_model(graph, b""),
            "CPU",
            {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads},
        )
        self._request, self._outputs = compiled.create_infer_request(), len(compiled.outputs)

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        self._request.infer({i: np.ascontiguousarray(value) for i, value in enumerate(inputs)})
        return [self._request.get_output_tensor(i).data.copy() for i in range(self._outputs)]


class _OnnxRuntime:
    def __init__(self, graph: bytes, threads: int) -> None:
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors only
        self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._names = [given.name for given in self._session.get_inputs()]

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        outputs: Arrays = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        return outputs

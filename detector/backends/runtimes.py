"""Run networks on the processor with ONNX Runtime or OpenVINO."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from importlib import metadata
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.networks.graphs import CROPS, UnboundGraph
from detector.schema.formatting import N_
from detector.schema.model import Gives, Output

if TYPE_CHECKING:
    import onnxruntime


class Backend(Protocol):
    """One network, ready to run."""

    name: str
    """Name for ``--backend``."""
    version: str
    """Version of the library."""
    device: str
    """``cpu``, or ``cuda`` and the name of the device."""
    precision: str
    """Precision of the arithmetic: ``float32`` or ``bfloat16``, with details after a comma."""
    threads: int
    """Number of threads on the processor."""

    def get_ready(self) -> None:
        """Do the preparations that the first :meth:`run` would do; may be called in another thread."""

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map crops (n, size, size, 3), RGB, n of at least 1, to logits (n,) or features (n, d)."""


def number_format(precision: str | None) -> str:
    """Return ``float32`` or ``bfloat16`` from a :attr:`Backend.precision`; empty if none is recorded."""
    return (precision or "").partition(",")[0]


def import_onnxruntime() -> ModuleType:
    """Import ``onnxruntime`` with its telemetry switched off."""
    # Otherwise it stores an identifier of the machine in the home folder and reports its usage; the variable
    # must be set before the first import (``Privacy.md`` of the package).
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def onnx_session(network: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Read an ONNX ``network`` for the processor."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only
    return runtime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    """Runs the ONNX model that ``network`` returns; the first crops trigger that call."""

    name = "onnxruntime"
    device = "cpu"
    precision = "float32"

    def __init__(self, network: Callable[[], bytes], threads: int) -> None:
        self.version = metadata.version("onnxruntime")
        self.threads = threads
        self._network = network

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return onnx_session(self._network(), self.threads)

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        _ = self._session

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        (out,) = self._session.run(None, {CROPS: np.ascontiguousarray(crops)})
        result: NDArray[np.float32] = out
        return result


def import_openvino() -> ModuleType:
    """Import ``openvino`` without its converter and telemetry, which would report the import."""
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    import openvino

    return openvino


@cache
def openvino_core() -> Any:
    """Return the only ``openvino.Core`` of this process, which is never released.

    When the last core is released, OpenVINO unloads its plug-in. This process then crashes with a
    segmentation fault when torch's DataLoader joins its next worker process (OpenVINO 2026.4.1,
    torch 2.14.1).
    """
    core = import_openvino().Core()
    # Otherwise the threads of all networks, and of all processes, would be pinned to the same first cores.
    core.set_property("CPU", {"ENABLE_CPU_PINNING": False})
    return core


def knows_bfloat16() -> bool:
    """Return whether the processor supports bfloat16; on others it is slower than float32."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _read(network: bytes | UnboundGraph) -> Any:
    """Read a network as an OpenVINO model."""
    # Insert separate constants by reference. A complete ONNX file would be a third copy of them, and
    # OpenVINO would make a fourth.
    if isinstance(network, bytes):
        return openvino_core().read_model(network)
    model = openvino_core().read_model(network.graph)
    for parameter in model.get_parameters():
        value = network.constants.get(parameter.get_friendly_name())
        if value is not None:
            constant = import_openvino().opset13.constant(value, shared_memory=True)
            parameter.output(0).replace(constant.output(0))
            model.remove_parameter(parameter)
    return model


_PIXELS_PER_THREAD = 8 * 128 * 128  # pixels of crops that one thread takes at a time


class OpenVINO:
    """Runs the model that ``network`` returns: ONNX bytes, or a graph and its constants separately.

    The first crops trigger reading and compiling, because many files have no face. With ``rough`` it computes
    in bfloat16 if the processor supports that.
    """

    device = "cpu"

    def __init__(
        self, network: Callable[[], bytes | UnboundGraph], threads: int, rough: bool = False
    ) -> None:
        rough = rough and knows_bfloat16()
        self.name = "openvino-bf16" if rough else "openvino"
        self.precision = "bfloat16" if rough else "float32"
        self.version = metadata.version("openvino")
        self.threads = threads
        self._network = network
        # A cached property would share its lock with all instances before Python 3.12.
        self._compiling = Lock()
        self._compiled: list[Any] = []

    @property
    def _requests(self) -> list[Any]:
        with self._compiling:
            if not self._compiled:
                settings = {
                    "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
                    "INFERENCE_NUM_THREADS": self.threads,
                    "NUM_STREAMS": self.threads,
                }
                model = openvino_core().compile_model(_read(self._network()), "CPU", settings)
                self._compiled = [model.create_infer_request() for _ in range(2 * self.threads)]
        return self._compiled

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        _ = self._requests

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        # Threads with a few crops each take two thirds of the time of all threads on one batch. Larger
        # pieces than two large crops are no faster, and activations take 15 MB for a crop of 224 px.
        maximum = max(1, _PIXELS_PER_THREAD // (crops.shape[1] * crops.shape[2]))
        size = min(maximum, -(-len(crops) // self.threads))
        pieces = [np.ascontiguousarray(crops[i : i + size]) for i in range(0, len(crops), size)]
        results: list[NDArray[np.float32]] = []
        for i in range(0, len(pieces), len(self._requests)):
            busy = list(zip(self._requests, pieces[i : i + len(self._requests)], strict=False))
            for request, piece in busy:
                request.start_async({0: piece}, share_inputs=True)
            for request, _ in busy:
                request.wait()
                # Copy the tensor, because the next run writes to the same memory.
                results.append(request.get_output_tensor(0).data.copy())
        return np.concatenate(results)


_PROBABILITY_MARGIN = 1e-7  # least distance of probabilities from 0 and 1, for logits within ±16


def compile_openvino(
    network: UnboundGraph, threads: int, rough: bool
) -> Callable[[Sequence[Mapping[str, NDArray[Any]]]], list[dict[str, NDArray[Any]]]]:
    """Compile ``network`` for inputs by name; ``rough`` is bfloat16."""
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if rough else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
    }
    model = openvino_core().compile_model(_read(network), "CPU", settings)
    names = [output.get_any_name() for output in model.outputs]
    requests = [model.create_infer_request() for _ in range(threads)]

    def run(inputs: Sequence[Mapping[str, NDArray[Any]]]) -> list[dict[str, NDArray[Any]]]:
        results = []
        for first in range(0, len(inputs), threads):
            busy = list(zip(requests, inputs[first : first + threads], strict=False))
            for request, given in busy:
                arrays = {name: np.ascontiguousarray(value) for name, value in given.items()}
                request.start_async(arrays, share_inputs=True)
            for request, _ in busy:
                request.wait()
                results.append(
                    {name: request.get_output_tensor(i).data.copy() for i, name in enumerate(names)}
                )
        return results

    return run


def open_onnx_session(
    network: UnboundGraph, threads: int
) -> Callable[[Sequence[Mapping[str, NDArray[Any]]]], list[dict[str, NDArray[Any]]]]:
    """Open ``network`` in ONNX Runtime, for inputs by name."""
    import onnx

    from detector.networks.graphs import bind_constants

    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors only
    complete = bind_constants(onnx.load_model_from_string(network.graph), network.constants)
    session = runtime.InferenceSession(complete, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Sequence[Mapping[str, NDArray[Any]]]) -> list[dict[str, NDArray[Any]]]:
        return [dict(zip(names, session.run(None, dict(given)), strict=True)) for given in inputs]

    return run


class OnnxFile:
    """Runs a network from an ONNX file with another back end, and converts its output to logits."""

    def __init__(self, backend: Backend, output: Output, one_by_one: bool, title: str) -> None:
        self.name, self.version, self.device = backend.name, backend.version, backend.device
        self.precision, self.threads = backend.precision, backend.threads
        self._backend, self._output, self._one_by_one, self._title = backend, output, one_by_one, title

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        self._backend.get_ready()

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        if self._one_by_one:
            out = np.concatenate([self._backend.run(crops[i : i + 1]) for i in range(len(crops))])
        else:
            out = self._backend.run(crops)
        return convert_to_logits(out, len(crops), self._output, self._title)


def convert_to_logits(
    out: NDArray[np.floating], count: int, meaning: Output, title: str
) -> NDArray[np.float32]:
    """Convert the output of a network for ``count`` crops to logits (n,).

    An output with one number per crop, (n,) or (n, 1), is the score. For one number per class, (n, classes),
    the logit compares the class ``manipulated`` with all others. Raises :class:`ModelError` for other shapes
    and NaN.
    """
    classes = out.size // count if count else 0
    is_right = classes >= 2 if meaning.gives.of_classes else classes == 1
    if out.shape[:1] != (count,) or out.size != count * classes or not is_right:
        shape = " × ".join(map(str, out.shape)) or "one number"
        expected = "one figure for each class" if meaning.gives.of_classes else "one figure"
        raise ModelError(
            N_(
                "%(title)s outputs %(shape)s for %(count)s crops, but its card states %(told)s per "
                "crop. Correct the output in the card."
            )
            % {"title": title, "shape": shape, "count": count, "told": expected}
        )
    if meaning.manipulated >= max(2, classes):
        raise ModelError(
            N_(
                "%(title)s outputs %(classes)s classes, but its card names class %(manipulated)s. "
                "Correct the output in the card."
            )
            % {"title": title, "classes": classes, "manipulated": meaning.manipulated}
        )
    values = out.reshape(count, classes).astype(np.float64)
    if np.isnan(values).any():
        raise ModelError(
            N_("%(title)s outputs no numbers for a crop: its weights are damaged, or its card is wrong.")
            % {"title": title}
        )
    return _logit_of_classes(values, meaning).clip(-60, 60).astype(np.float32)


def _logit_of_classes(values: NDArray[np.float64], meaning: Output) -> NDArray[np.float64]:
    match meaning.gives:
        case Gives.LOGITS:
            other_logits = np.delete(values, meaning.manipulated, axis=1)
            top = other_logits.max(axis=1)
            rest: NDArray[np.float64] = top + np.log(np.exp(other_logits - top[:, None]).sum(axis=1))
            return values[:, meaning.manipulated] - rest
        case Gives.PROBABILITIES:
            return _logit(values[:, meaning.manipulated])
        case Gives.LOGIT:
            logits = values[:, 0]
        case Gives.PROBABILITY:
            logits = _logit(values[:, 0])
        case _:
            assert_never(meaning.gives)
    return logits if meaning.manipulated else -logits


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = probability.clip(_PROBABILITY_MARGIN, 1 - _PROBABILITY_MARGIN)
    logits: NDArray[np.float64] = np.log(inside / (1 - inside))
    return logits

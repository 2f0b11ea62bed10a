"""Run networks on the processor with ONNX Runtime or OpenVINO."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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
    """As ``--backend`` takes it."""
    version: str
    """Of the library."""
    device: str
    """``cpu``, or ``cuda`` and the device's name."""
    precision: str
    """Of the arithmetic: ``float32`` or ``bfloat16``, and what else is to be said of it."""
    threads: int
    """On the processor."""

    def get_ready(self) -> None:
        """Do what else the first :meth:`run` would begin with; another thread may call it meanwhile."""

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Crops (n, size, size, 3), RGB, n of at least 1, to logits (n,) or features (n, d)."""


def number_format(precision: str | None) -> str:
    """``float32`` or ``bfloat16`` alone of a :attr:`Backend.precision`; empty where none is recorded."""
    return (precision or "").partition(",")[0]


_ERRORS_ONLY = 3


def import_onnxruntime() -> ModuleType:
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
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        return runtime.InferenceSession(self._network(), options, providers=["CPUExecutionProvider"])

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        _ = self._session

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        (out,) = self._session.run(None, {CROPS: np.ascontiguousarray(crops)})
        result: NDArray[np.float32] = out
        return result


def import_openvino() -> ModuleType:
    """The package ``openvino``, kept from reporting to its makers that it was imported.

    Its converter, which is imported with it and not needed here, does that by way of the package
    ``openvino_telemetry``. Both count as not installed in this process from now on.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
    import openvino

    return openvino


@cache
def openvino_core() -> Any:
    """The process's one ``openvino.Core``, which is never given up.

    With its last core OpenVINO unloads its plug-in, and the next process that torch's DataLoader waits
    for ends this one with a segmentation fault (OpenVINO 2026.4.1, torch 2.14.1).

    Its threads run on whatever core is free. OpenVINO would tie those of each network to the first cores: the
    same ones for all networks, and for all processes that analyse at the same time.
    """
    made = import_openvino().Core()
    made.set_property("CPU", {"ENABLE_CPU_PINNING": False})
    return made


def knows_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 itself; elsewhere that is slower than float32."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _read(network: bytes | UnboundGraph) -> Any:
    """OpenVINO's model of a network.

    Where constants come apart they are put in where they lie. One ONNX file of both would be a third copy of
    them, and OpenVINO's a fourth.
    """
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


_MOST = 8 * 128 * 128  # pixels of crops that one thread takes at a time


class OpenVINO:
    """``network`` makes an ONNX model in bytes, or a graph and its constants apart.

    It is asked for and compiled when crops come: many a file has no face. With ``rough`` it computes in
    bfloat16, where the processor knows that.
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
        # Not a cached property: until Python 3.12 those of all instances wait for one another.
        self._compiling = Lock()
        self._made: list[Any] = []

    @property
    def _requests(self) -> list[Any]:
        with self._compiling:
            self._made = self._made or self._compiled()
        return self._made

    def _compiled(self) -> list[Any]:
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.threads,
        }
        compiled = openvino_core().compile_model(_read(self._network()), "CPU", settings)
        return [compiled.create_infer_request() for _ in range(2 * self.threads)]

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        _ = self._requests

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        # Threads with a few crops each take two thirds of the time of all of them on one batch. Of large ones
        # two at a time cost no more time than more: what lies between layers takes 15 MB a crop of 224 px.
        most = max(1, _MOST // (crops.shape[1] * crops.shape[2]))
        size = min(most, -(-len(crops) // self.threads))
        pieces = [np.ascontiguousarray(crops[i : i + size]) for i in range(0, len(crops), size)]
        found: list[NDArray[np.float32]] = []
        for i in range(0, len(pieces), len(self._requests)):
            busy = list(zip(self._requests, pieces[i : i + len(self._requests)], strict=False))
            for request, piece in busy:
                request.start_async({0: piece}, share_inputs=True)
            for request, _ in busy:
                request.wait()
                # Copied: the next run writes to the same place.
                found.append(request.get_output_tensor(0).data.copy())
        return np.concatenate(found)


_LEAST = 1e-7  # probabilities are taken to lie so far from 0 and 1, logits within ±16


class OnnxFile:
    """``runs`` is the back end that has the network; :func:`logits_of` says what becomes of its output."""

    def __init__(self, runs: Backend, output: Output, one_by_one: bool, title: str) -> None:
        self.name, self.version, self.device = runs.name, runs.version, runs.device
        self.precision, self.threads = runs.precision, runs.threads
        self._runs, self._output, self._one_by_one, self._title = runs, output, one_by_one, title

    def get_ready(self) -> None:
        """See :class:`detector.backends.runtimes.Backend`."""
        self._runs.get_ready()

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.runtimes.Backend`."""
        if self._one_by_one:
            out = np.concatenate([self._runs.run(crops[i : i + 1]) for i in range(len(crops))])
        else:
            out = self._runs.run(crops)
        return convert_to_logits(out, len(crops), self._output, self._title)


def convert_to_logits(
    out: NDArray[np.floating], count: int, meaning: Output, title: str
) -> NDArray[np.float32]:
    """Logits (n,) out of what a network gave for ``count`` crops.

    One figure a crop: (n,) or (n, 1); one for each class: (n, classes), and the logit is that of the class
    ``manipulated`` against all others. Raises :class:`ModelError` for any other shape and for no numbers.
    """
    classes = out.size // count if count else 0
    wanted = classes >= 2 if meaning.gives.of_classes else classes == 1
    if out.shape[:1] != (count,) or out.size != count * classes or not wanted:
        shape = " × ".join(map(str, out.shape)) or "one number"
        told = "one figure for each class" if meaning.gives.of_classes else "one figure"
        raise ModelError(
            N_(
                "%(title)s gives %(shape)s for %(count)s crops, and its card says %(told)s a crop. "
                "Correct the card's output."
            )
            % {"title": title, "shape": shape, "count": count, "told": told}
        )
    if meaning.manipulated >= max(2, classes):
        raise ModelError(
            N_(
                "%(title)s gives %(classes)s classes, and its card names class %(manipulated)s. "
                "Correct the card's output."
            )
            % {"title": title, "classes": classes, "manipulated": meaning.manipulated}
        )
    values = out.reshape(count, classes).astype(np.float64)
    if np.isnan(values).any():
        raise ModelError(
            N_("%(title)s gives no numbers for a crop: its weights are damaged, or its card is wrong.")
            % {"title": title}
        )
    return _of_classes(values, meaning).clip(-60, 60).astype(np.float32)


def _of_classes(values: NDArray[np.float64], meaning: Output) -> NDArray[np.float64]:
    match meaning.gives:
        case Gives.LOGITS:
            others = np.delete(values, meaning.manipulated, axis=1)
            top = others.max(axis=1)
            rest: NDArray[np.float64] = top + np.log(np.exp(others - top[:, None]).sum(axis=1))
            return values[:, meaning.manipulated] - rest
        case Gives.PROBABILITIES:
            return _logit(values[:, meaning.manipulated])
        case Gives.LOGIT:
            one = values[:, 0]
        case Gives.PROBABILITY:
            one = _logit(values[:, 0])
        case _:
            assert_never(meaning.gives)
    return one if meaning.manipulated else -one


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = probability.clip(_LEAST, 1 - _LEAST)
    logits: NDArray[np.float64] = np.log(inside / (1 - inside))
    return logits

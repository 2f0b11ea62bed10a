"""OpenVINO on the processor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import metadata
from threading import Lock
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.networks.graphs import Unbound


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


@cache
def core() -> Any:
    """The process's one ``openvino.Core``, which is never given up.

    With its last core OpenVINO unloads its plug-in, and the next process that torch's DataLoader waits
    for ends this one with a segmentation fault (OpenVINO 2026.4.1, torch 2.14.1).

    Its threads run on whatever core is free. OpenVINO would tie those of each network to the first cores: the
    same ones for all networks, and for all processes that analyse at the same time.
    """
    made = imported().Core()
    made.set_property("CPU", {"ENABLE_CPU_PINNING": False})
    return made


def knows_bfloat16() -> bool:
    """Whether the processor computes in bfloat16 itself; elsewhere that is slower than float32."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _read(network: bytes | Unbound) -> Any:
    """OpenVINO's model of a network.

    Where constants come apart they are put in where they lie. One ONNX file of both would be a third copy of
    them, and OpenVINO's a fourth.
    """
    if isinstance(network, bytes):
        return core().read_model(network)
    model = core().read_model(network.graph)
    for parameter in model.get_parameters():
        value = network.constants.get(parameter.get_friendly_name())
        if value is not None:
            constant = imported().opset13.constant(value, shared_memory=True)
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

    def __init__(self, network: Callable[[], bytes | Unbound], threads: int, rough: bool = False) -> None:
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
        compiled = core().compile_model(_read(self._network()), "CPU", settings)
        return [compiled.create_infer_request() for _ in range(2 * self.threads)]

    def get_ready(self) -> None:
        """See :class:`detector.backends.base.Backend`."""
        _ = self._requests

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.base.Backend`."""
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

"""Select the back end of a model: the requested one, or the fastest that is available and can run it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from detector.backends.runtimes import Backend, number_format
from detector.errors import ModelError, ParameterError
from detector.models.loaded import LoadedModel, graph_path
from detector.models.model_files import read_arrays
from detector.models.onnx_file import bind_onnx, find_shape, read_onnx
from detector.networks import graphs
from detector.process.resources import peak_memory
from detector.schema.formatting import N_

if TYPE_CHECKING:
    from pathlib import Path

    from detector.models.card import Card, Input
    from detector.schema.model import OnnxNetwork


BACKEND_VARIABLE = "REELPROOF_BACKEND"

# Fastest first, as measured in docs/performance.md; each with the packages it needs.
_NEEDED = {
    "openvino": ("openvino", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "torch": ("torch",),
    "openvino-bf16": ("openvino", "onnx"),
}
BACKEND_NAMES = tuple(_NEEDED)
REDUCED_PRECISION = frozenset({"openvino-bf16"})
"""Those that round to 16 bits. Their scores differ by more than two analyses may: never chosen unasked."""

# What runs each loaded model, by name.
_READY: WeakKeyDictionary[LoadedModel, dict[str, Backend]] = WeakKeyDictionary()


def available_backends() -> tuple[str, ...]:
    """Names of the back ends whose packages are installed, fastest first; those of full precision."""
    return tuple(name for name in BACKEND_NAMES if name not in REDUCED_PRECISION and not _lacking(name))


def require_backend(name: str) -> str:
    """``name`` if such a back end is here; :class:`ParameterError` that says what to do if not."""
    if name not in _NEEDED:
        raise ParameterError(f"{name!r} is no back end. Choose one of: {', '.join(BACKEND_NAMES)}.")
    if lacking := _lacking(name):
        raise ParameterError(
            f"The back end {name} needs {' and '.join(lacking)}, not installed here. Run make setup, "
            f"or choose one that is: {', '.join(available_backends())}."
        )
    return name


def requested_backend() -> str | None:
    """The back end that the environment's ``REELPROOF_BACKEND`` names; None where it leaves the choice."""
    name = os.environ.get(BACKEND_VARIABLE, "")
    return require_backend(name) if name else None


def backend_with_rounding(precision: str | None) -> str | None:
    """The back end that rounds as ``precision`` (:attr:`~detector.backends.runtimes.Backend.precision`) says.

    None for full precision, where the environment names a back end, and where it is not installed.
    """
    if number_format(precision) != "bfloat16" or requested_backend():
        return None
    return next((name for name in sorted(REDUCED_PRECISION) if not _lacking(name)), None)


def open_backend(model: LoadedModel, name: str | None = None) -> Backend:
    """What runs ``model``; made once for each model and name.

    ``name`` is a back end's. Without it the environment's ``REELPROOF_BACKEND`` counts; without
    that either, torch where there is a CUDA device, else the fastest present that has a graph of
    the model's architecture. Raises :class:`ParameterError` for a back end that is not here and
    :class:`ModelError` for one, asked for by name, that cannot run this model.
    """
    name = require_backend(name) if name else requested_backend()
    if model.card.onnx:
        name = _of_onnx_file(name, model)
    elif name is None:
        name = (
            "torch" if gpu_is_here() else next(each for each in available_backends() if can_run(each, model))
        )
    elif not can_run(name, model):
        raise ModelError(
            f"There is no graph of {model.card.architecture} at {model.card.input.size} px that the back end "
            f"{name} could run. Choose --backend torch, or let Reelproof choose."
        )
    ready = _READY.setdefault(model.alone, {})
    if name not in ready:
        ready[name] = _create(name, model)
    return ready[name]


def can_run(name: str, model: LoadedModel) -> bool:
    """Whether back end ``name`` can run ``model``: torch any, the others what there is a graph of.

    With an ONNX file it is the other way round.
    """
    if model.card.onnx:
        return name != "torch"
    return name == "torch" or (model.weights is not None and graph_path(model) is not None)


def _of_onnx_file(name: str | None, model: LoadedModel) -> str:
    """The back end for an ONNX file: ``name``, or the fastest present that can run it.

    Torch cannot; where it is asked for, ONNX Runtime takes its place. Raises :class:`ModelError` where none
    gives a score for a grey crop.
    """
    names = [name] if name and name != "torch" else [each for each in available_backends() if each != "torch"]
    if name == "torch":
        names.reverse()
    ready, problem = _READY.setdefault(model.alone, {}), None
    size = model.card.input.size
    for each in names:
        if each in ready:
            return each
        try:
            tried = _create(each, model)
            tried.run(np.full((2, size, size, 3), 128, np.uint8))
        except ModelError:
            raise
        except Exception as error:  # each library has its own, and several of them
            problem = " ".join(str(error).split())[:160]
            continue
        ready[each] = tried
        return each
    why = f"by {' and '.join(names)}: {problem}" if names else "here: it takes OpenVINO or ONNX Runtime"
    raise ModelError(f"{model.card.name}.onnx cannot be run {why}.")


def processor_threads() -> int:
    """Threads for arithmetic: what ``OMP_NUM_THREADS`` says, else the cores this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said):
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def gpu_is_here() -> bool:
    """Whether torch can use a CUDA device. Torch is asked only where a driver may be: it loads slowly."""
    if not _driver_may_be_here():
        return False
    import torch

    return torch.cuda.is_available()


def needs_torch(model: LoadedModel) -> bool:
    """Whether :func:`open_backend` will import torch, be it only to ask it for a GPU; opens nothing."""
    if model.card.onnx:
        return False
    name = requested_backend()
    if name is None:
        return _driver_may_be_here() or not any(
            can_run(each, model) for each in available_backends() if each != "torch"
        )
    return name == "torch"


def _driver_may_be_here() -> bool:
    return not os.path.exists("/proc") or any(
        map(os.path.exists, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"))
    )


def _lacking(name: str) -> list[str]:
    return [package for package in _NEEDED[name] if find_spec(package) is None]


def _create(name: str, model: LoadedModel) -> Backend:
    if name == "torch":
        from detector.backends.torch import Torch, choose_device

        return Torch(model, choose_device())
    if model.card.onnx:
        return _create_of_onnx_file(name, model.card, model.card.onnx, model.weights or b"")
    graph = graph_path(model)
    assert graph is not None  # can_run() looked
    assert model.weights is not None
    # Not of ``model``, which would then never be given up (_READY).
    constants = (graph, model.card.input, model.weights)
    return _of_graph(name, partial(_bound, *constants), partial(_unbound, *constants))


def _create_of_onnx_file(name: str, card: Card, network: OnnxNetwork, data: bytes) -> Backend:
    from detector.backends.runtimes import OnnxFile

    file = f"{card.name}.onnx"
    read = read_onnx(data, file)
    shape = find_shape(read, card.input.size, file)
    whole = bind_onnx(read, card.input, network, shape, file)
    return OnnxFile(_of_graph(name, lambda: whole, lambda: whole), network.output, shape.one_by_one, file)


def _of_graph(
    name: str, bound: Callable[[], bytes], unbound: Callable[[], bytes | graphs.UnboundGraph]
) -> Backend:
    """What runs a graph: ``bound`` has its constants in it, ``unbound`` may have them beside it."""
    match name:
        case "onnxruntime":
            from detector.backends.runtimes import OnnxRuntime

            return OnnxRuntime(bound, processor_threads())
        case "openvino" | "openvino-bf16":
            from detector.backends.runtimes import OpenVINO

            return OpenVINO(unbound, processor_threads(), rough=name in REDUCED_PRECISION)
    raise ValueError(f"No back end {name} is made here.")


def _bound(graph: Path, given: Input, weights: bytes) -> bytes:
    return graphs.bind(graphs.read_graph(graph), given.mean, given.std, read_arrays(weights))


def _unbound(graph: Path, given: Input, weights: bytes) -> graphs.UnboundGraph:
    constants = graphs.graph_constants(given.mean, given.std, read_arrays(weights))
    return graphs.UnboundGraph(graph.read_bytes(), constants)


MEMORY_LIMIT = 2_000_000_000
"""Bytes that a batch of crops may take beyond what was taken before the network was loaded."""
_CROPS = 32  # as many as an analysis scores at once
_APART = 0.05  # of the logit, between a crop alone and the same crop in a batch


def try_onnx_file(model: LoadedModel) -> None:
    """Raise :class:`ModelError` with the reason where ``model``, an ONNX file, cannot be used."""
    before = peak_memory()
    backend = open_backend(model)
    size = model.card.input.size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (_CROPS, size, size, 3), np.uint8)
    try:
        logits = backend.run(crops)
        alone = backend.run(crops[:1])
    except ModelError:
        raise
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            N_("%(name)s.onnx cannot score %(crops)s crops at once: %(reason)s.")
            % {"name": model.card.name, "crops": _CROPS, "reason": reason}
        ) from None
    if abs(float(logits[0] - alone[0])) > _APART:
        raise ModelError(
            N_(
                "%(name)s.onnx gives a crop another score when others are scored with it. Export the "
                "network in evaluation mode, so that a crop's score is its own."
            )
            % {"name": model.card.name}
        )
    used = peak_memory() - before
    if used > MEMORY_LIMIT:
        raise ModelError(
            N_(
                "%(name)s.onnx takes %(used)s GB of memory for %(crops)s crops; at most %(allowed)s GB "
                "are allowed. Export a smaller network or a smaller input."
            )
            % {
                "name": model.card.name,
                "used": f"{used / 1e9:.1f}",
                "crops": _CROPS,
                "allowed": f"{MEMORY_LIMIT / 1e9:.0f}",
            }
        )

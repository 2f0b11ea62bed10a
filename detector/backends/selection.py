"""Select the back end of a model: the requested one, or the fastest that is available and can run it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from weakref import WeakKeyDictionary

import numpy as np

from detector.backends.runtimes import Backend, OnnxFile, OnnxRuntime, OpenVINO, number_format
from detector.errors import ModelError, ParameterError
from detector.models.loaded import LoadedModel, graph_path
from detector.models.model_files import read_arrays
from detector.models.onnx_file import bind_onnx, find_shape, read_onnx
from detector.networks import graphs
from detector.process.resources import peak_memory
from detector.schema.formatting import N_

BACKEND_VARIABLE = "REELPROOF_BACKEND"

# Fastest first, as measured in docs/performance.md; each with the packages it needs.
_NEEDED = {
    "openvino": ("openvino", "onnx"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "torch": ("torch",),
    "openvino-bf16": ("openvino", "onnx"),
}
BACKEND_NAMES = tuple(_NEEDED)
# Back ends that round to 16 bits. Their scores differ by more than repeated analyses may, so they are used
# only on request.
REDUCED_PRECISION = frozenset({"openvino-bf16"})

# The back ends of each loaded model, by name.
_READY: WeakKeyDictionary[LoadedModel, dict[str, Backend]] = WeakKeyDictionary()


def available_backends() -> tuple[str, ...]:
    """Return the names of the installed back ends of full precision, fastest first."""
    return tuple(name for name in BACKEND_NAMES if name not in REDUCED_PRECISION and not _missing(name))


def require_backend(name: str) -> str:
    """Return ``name`` if that back end is installed; raise :class:`ParameterError` with advice if not."""
    if name not in _NEEDED:
        raise ParameterError(f"{name!r} is no back end. Choose one of: {', '.join(BACKEND_NAMES)}.")
    if missing := _missing(name):
        raise ParameterError(
            f"The back end {name} needs {' and '.join(missing)}, not installed here. Run make setup, "
            f"or choose one that is: {', '.join(available_backends())}."
        )
    return name


def requested_backend() -> str | None:
    """Return the back end that the environment variable ``REELPROOF_BACKEND`` names, if any."""
    name = os.environ.get(BACKEND_VARIABLE, "")
    return require_backend(name) if name else None


def backend_with_rounding(precision: str | None) -> str | None:
    """Return the back end that rounds as a recorded :attr:`.Backend.precision` says.

    Returns None for full precision, if the environment names a back end, and if it is not installed.
    """
    if number_format(precision) != "bfloat16" or requested_backend():
        return None
    return next((name for name in sorted(REDUCED_PRECISION) if not _missing(name)), None)


def open_backend(model: LoadedModel, name: str | None = None) -> Backend:
    """Return the back end of ``model``, created once for each model and name.

    Without a ``name``, ``REELPROOF_BACKEND`` decides; without that, torch is used if there is a CUDA device,
    else the fastest back end that can run the model. Raises :class:`ParameterError` for a back end that is
    not installed, and :class:`ModelError` for a named one that cannot run this model.
    """
    name = require_backend(name) if name else requested_backend()
    if model.card.onnx:
        name = _backend_of_onnx_file(name, model)
    elif name is None:
        name = (
            "torch"
            if gpu_is_here()
            else next(other for other in available_backends() if can_run(other, model))
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
    """Return whether a back end can run ``model``: torch runs any but ONNX files, the others need a graph."""
    if model.card.onnx:
        return name != "torch"
    return name == "torch" or (model.weights is not None and graph_path(model) is not None)


def _backend_of_onnx_file(name: str | None, model: LoadedModel) -> str:
    """Return the back end for an ONNX file: ``name``, or the fastest that can run it.

    ONNX Runtime replaces torch, which cannot. Raises :class:`ModelError` if none scores a grey crop.
    """
    if name and name != "torch":
        names = [name]
    else:
        names = [other for other in available_backends() if other != "torch"]
    if name == "torch":
        names.reverse()
    ready, problem = _READY.setdefault(model.alone, {}), None
    size = model.card.input.size
    for candidate in names:
        if candidate in ready:
            return candidate
        try:
            backend = _create(candidate, model)
            backend.run(np.full((2, size, size, 3), 128, np.uint8))
        except ModelError:
            raise
        except Exception as error:  # each library has several of its own
            problem = " ".join(str(error).split())[:160]
            continue
        ready[candidate] = backend
        return candidate
    why = f"by {' and '.join(names)}: {problem}" if names else "here: it takes OpenVINO or ONNX Runtime"
    raise ModelError(f"{model.card.name}.onnx cannot be run {why}.")


def processor_threads() -> int:
    """Return the threads for arithmetic: ``OMP_NUM_THREADS``, or the cores that this process may use."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    if setting.isdecimal() and int(setting):
        return int(setting)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def gpu_is_here() -> bool:
    """Return whether torch can use a CUDA device."""
    if not _driver_may_be_here():  # avoids importing torch, which is slow
        return False
    import torch

    return torch.cuda.is_available()


def needs_torch(model: LoadedModel) -> bool:
    """Return whether :func:`open_backend` will import torch, if only to look for a GPU."""
    if model.card.onnx:
        return False
    name = requested_backend()
    if name is None:
        return _driver_may_be_here() or not any(
            can_run(other, model) for other in available_backends() if other != "torch"
        )
    return name == "torch"


def _driver_may_be_here() -> bool:
    return not os.path.exists("/proc") or any(
        map(os.path.exists, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"))
    )


def _missing(name: str) -> list[str]:
    return [package for package in _NEEDED[name] if find_spec(package) is None]


def _create(name: str, model: LoadedModel) -> Backend:
    if name == "torch":
        from detector.backends.torch import Torch, choose_device

        return Torch(model, choose_device())
    card, data = model.card, model.weights or b""
    if card.onnx:
        file = f"{card.name}.onnx"
        read = read_onnx(data, file)
        shape = find_shape(read, card.input.size, file)
        bound = bind_onnx(read, card.input, card.onnx, shape, file)
        backend = _create_for_graph(name, lambda: bound, lambda: bound)
        return OnnxFile(backend, card.onnx.output, shape.one_by_one, file)
    graph, preprocessing = graph_path(model), card.input
    assert graph is not None  # by can_run()
    assert data

    # These must not refer to ``model``, which _READY would then keep alive.
    def bind() -> bytes:
        return graphs.bind(graphs.read_graph(graph), preprocessing.mean, preprocessing.std, read_arrays(data))

    def leave_unbound() -> graphs.UnboundGraph:
        constants = graphs.graph_constants(preprocessing.mean, preprocessing.std, read_arrays(data))
        return graphs.UnboundGraph(graph.read_bytes(), constants)

    return _create_for_graph(name, bind, leave_unbound)


def _create_for_graph(
    name: str, bound: Callable[[], bytes], unbound: Callable[[], bytes | graphs.UnboundGraph]
) -> Backend:
    """Create a back end for a graph; ``bound`` includes its constants, ``unbound`` may separate them."""
    match name:
        case "onnxruntime":
            return OnnxRuntime(bound, processor_threads())
        case "openvino" | "openvino-bf16":
            return OpenVINO(unbound, processor_threads(), rough=name in REDUCED_PRECISION)
    raise ValueError(f"The back end {name} runs no graphs.")


MEMORY_LIMIT = 2_000_000_000  # bytes that a batch of crops may take beyond those before loading the network
_BATCH = 32  # as many as an analysis scores at once
_LOGIT_TOLERANCE = 0.05  # largest difference of logits between a crop alone and in a batch


def try_onnx_file(model: LoadedModel) -> None:
    """Raise :class:`ModelError` with the reason if ``model``, an ONNX file, cannot be used.

    Faces must get scores, independently of others in the batch, in bounded memory.
    """
    before = peak_memory()
    backend = open_backend(model)
    size = model.card.input.size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (_BATCH, size, size, 3), np.uint8)
    try:
        logits = backend.run(crops)
        alone = backend.run(crops[:1])
    except ModelError:
        raise
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            N_("%(name)s.onnx cannot score %(crops)s crops at once: %(reason)s.")
            % {"name": model.card.name, "crops": _BATCH, "reason": reason}
        ) from None
    if abs(float(logits[0] - alone[0])) > _LOGIT_TOLERANCE:
        raise ModelError(
            N_(
                "%(name)s.onnx scores a crop differently when others are scored with it. Export the "
                "network in evaluation mode, so that each crop is scored independently."
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
                "crops": _BATCH,
                "allowed": f"{MEMORY_LIMIT / 1e9:.0f}",
            }
        )

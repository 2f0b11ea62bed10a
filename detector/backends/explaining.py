"""Run what heatmaps compute of a network as graphs, without torch, in bfloat16 where the processor knows it.

Verdicts never depend on these numbers. Where no graph is shipped, or torch is the back end, torch computes
them (detector.explain).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from detector.backends.runtimes import compile_openvino, knows_bfloat16, open_onnx_session
from detector.backends.selection import open_backend, processor_threads
from detector.models.model_files import read_arrays
from detector.networks import graphs
from detector.networks.graphs import CAM, CHOSEN, CROPS, FALLS, LOWER, MAPS, OUT, REST, TOKENS

if TYPE_CHECKING:
    from detector.media.frame import Image
    from detector.models.loaded import LoadedModel
    from detector.networks.base import Network

Array = NDArray[Any]
_TUNED = graphs.READINGS * graphs.QUESTIONS  # outputs of the part that reads faces
_SHARES = 3  # of lower tokens: for the tuned blocks, for the branch, and after the first tap
_SHARED = graphs.outputs_of(graphs.PHOTOGRAPH)[graphs.ALTERED]  # an output that both parts add to


def heatmap_precision(backend: str) -> str:
    """Return the arithmetic of graphs of heatmaps in the back end of this name.

    No verdict rests on heatmaps, so they are computed in bfloat16 where the processor knows it.
    """
    return "bfloat16" if backend.startswith("openvino") and knows_bfloat16() else "float32"


class Graph:
    """A graph file with the tensors of a model, compiled when it is first run."""

    def __init__(self, path: Path, read: Callable[[], dict[str, NDArray[np.float32]]], backend: str) -> None:
        self._path, self._read, self._backend = path, read, backend
        self._compiling = Lock()
        self._run: Callable[[Sequence[Mapping[str, Array]]], list[dict[str, Array]]] | None = None

    def get_ready(self) -> None:
        """Compile the graph."""
        with self._compiling:
            if self._run is not None:
                return
            network = graphs.UnboundGraph(self._path.read_bytes(), self._read())
            if self._backend == "onnxruntime":
                self._run = open_onnx_session(network, processor_threads())
            else:
                self._run = compile_openvino(network, processor_threads(), rough=knows_bfloat16())

    def run(self, inputs: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
        """Run the graph on each of ``inputs``, arrays by name; the results are arrays by name as well."""
        self.get_ready()
        assert self._run is not None
        return self._run(inputs)


class PatchLook(NamedTuple):
    """What heatmaps take from one pass of a transformer and its gradient over a crop with p² patches."""

    tokens: NDArray[np.float32]
    """Of all patches (1, 1 + p², d), for :meth:`PatchGraphs.without`."""
    logit: float
    falls: NDArray[np.float32]
    """The derivative (p, p) of the logit by how much each patch counts, in attention and in pooling."""
    cam: NDArray[np.float32]
    """HiResCAM (p, p), signed."""


class PatchGraphs:
    """A transformer that reads faces and windows, as graphs: its maps, and its logits without patches."""

    drops_patches = True

    def __init__(self, open_graph: Callable[[str], Graph]) -> None:
        self._lower = open_graph(LOWER)
        self._maps = [open_graph(part + MAPS) for part in graphs.UPPER_PARTS]
        self._rest = [open_graph(part + REST) for part in graphs.UPPER_PARTS]

    def get_ready(self) -> None:
        """Compile what every explanation needs; what else it needs depends on the face."""
        self._lower.get_ready()

    def look(self, crop: Image, output: int) -> PatchLook:
        """Return the maps of an ``output`` of the whole network for ``crop`` (size, size, 3)."""
        (lower,) = self._lower.run([{CROPS: crop[None]}])
        tokens = lower[TOKENS]
        side = math.isqrt(tokens.shape[1] - 1)
        logit, falls, cam = 0.0, np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
        for part, column in _parts_of(output):
            chosen = np.zeros((1, graphs.WINDOW_OUTPUTS if part else _TUNED), np.float32)
            chosen[0, column] = 1
            (out,) = self._maps[part].run([{TOKENS: _share_of(tokens, part), CHOSEN: chosen}])
            logit += float(out[OUT][0, column])
            falls += out[FALLS].reshape(side, side)
            cam += out[CAM].reshape(side, side)
        return PatchLook(tokens, logit, falls, cam)

    def without(
        self, tokens: NDArray[np.float32], output: int, hidden: Sequence[NDArray[np.bool_]]
    ) -> NDArray[np.float64]:
        """Return the logits (n,) of an ``output`` without the ``hidden`` patches (p²,)."""
        logits = np.zeros(len(hidden))
        for part, column in _parts_of(output):
            share = _share_of(tokens, part)
            kept = [{TOKENS: share[:, np.append(True, ~mask)]} for mask in hidden]
            logits += [float(out[OUT][0, column]) for out in self._rest[part].run(kept)]
        return logits

    def patch_features(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Map crops to features of their patches (n, p², d), for comparisons of two crops."""
        runs = self._lower.run([{CROPS: crop[None]} for crop in crops])
        tokens = np.concatenate([out[TOKENS] for out in runs])[:, 1:]
        return tokens[:, :, -(tokens.shape[2] // _SHARES) :]


class CamGraph:
    """A convolutional network as the graph of its Grad-CAM maps."""

    drops_patches = False

    def __init__(self, open_graph: Callable[[str], Graph]) -> None:
        self._maps = open_graph(MAPS)

    def get_ready(self) -> None:
        """Compile the graph."""
        self._maps.get_ready()

    def maps(self, crops: Sequence[Image]) -> NDArray[np.float32]:
        """Return the maps (layers, 2, h, w) of two ``crops``, signed and unscaled."""
        (out,) = self._maps.run([{CROPS: np.stack(crops)}])
        maps: NDArray[np.float32] = out[CAM]
        return maps


ExplainedNetwork = PatchGraphs | CamGraph
_KINDS: dict[str, type[ExplainedNetwork]] = {
    "vit_small_14_windows": PatchGraphs,
    "efficientnet_lite0": CamGraph,
}
_OPENED: WeakKeyDictionary[LoadedModel, ExplainedNetwork | None] = WeakKeyDictionary()


def explaining_graphs(model: LoadedModel) -> ExplainedNetwork | None:
    """Return the graphs that explain the scores of ``model``; None if torch does."""
    key = model.alone
    if key not in _OPENED:
        _OPENED[key] = _open(key)
    return _OPENED[key]


def network_to_explain(model: LoadedModel) -> ExplainedNetwork | Network:
    """Return what explains the scores of ``model``: its graphs, or its torch network."""
    return explaining_graphs(model) or model.network


def _open(model: LoadedModel) -> ExplainedNetwork | None:
    architecture, size, given = model.card.architecture, model.card.input.size, model.card.input
    kind, data = _KINDS.get(architecture), model.weights
    if model.card.onnx or model.built is not None or data is None or kind is None:
        return None
    backend = open_backend(model.graphs[0]).name
    if backend == "torch" or graphs.shipped_graph(architecture + MAPS, size) is None and kind is CamGraph:
        return None

    @cache  # for all graphs
    def read() -> dict[str, NDArray[np.float32]]:
        return graphs.graph_constants(given.mean, given.std, read_arrays(data))

    def open_graph(suffix: str) -> Graph:
        path = graphs.shipped_graph(architecture + suffix, size)
        if path is None:
            raise FileNotFoundError(f"There is no graph {architecture}{suffix} at {size} px.")
        return Graph(path, read, backend)

    return kind(open_graph)


def _share_of(tokens: NDArray[np.float32], part: int) -> NDArray[np.float32]:
    """Return which of the lower tokens a part of the upper blocks reads."""
    width = tokens.shape[2] // _SHARES
    return tokens[:, :, width:] if part else tokens[:, :, :width]


def _parts_of(output: int) -> tuple[tuple[int, int], ...]:
    """Return which parts of the upper blocks say an output, 0 or 1, and by which of their own outputs."""
    if output >= _TUNED:
        return ((1, output - _TUNED),)
    return ((0, output), *(((1, graphs.PHOTOGRAPH_ALTERED),) if output == _SHARED else ()))

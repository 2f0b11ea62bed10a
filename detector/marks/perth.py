"""The network that reads the mark of Chatterbox (Perth, by Resemble AI), rebuilt without torch.

The package ``resemble-perth``, extra ``marks``, holds its weights. The package's own code needs several
further packages only to resample and to transform. Three stacks of one-dimensional convolutions see the
spectrogram up to 2 kHz at three speeds. One of their two outputs weighs them, the other is the answer.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.voice.runtime import Runner, open_graph

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

RATE = 32_000  # hertz, and the further values of the package's hparams.yaml
_WINDOW, _HOP, _FLOOR = 2048, 320, 1e-9
_BINS = 128  # up to 2 kHz
_HEADROOM = 15.0  # dB
_LOUD = 0.05  # share of the loudest moment from which a moment counts
_SPEEDS = {"slow": 1.25, "normal": 1.0, "fast": 0.75}
_LAYERS = 7
_SLOPE = 0.01  # of the leaky rectifiers
_WEIGHTS = Path("perth_net", "pretrained", "implicit", "perth_net_250000.pth.tar")


def weights_path() -> Path | None:
    """Return the file with the network's weights; None where ``resemble-perth`` is not installed."""
    spec = find_spec("perth")
    folders = spec.submodule_search_locations if spec else None
    paths = [Path(folder) / _WEIGHTS for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


class PerthDecoder:
    """The network with the weights of a file, which is read and compiled, once a process, when it is used."""

    def __init__(self, weights: Path) -> None:
        self._weights = weights

    def strength(self, samples: Floats) -> float:
        """Return how clearly samples (n,) at 32 kHz carry the mark, 0 to 1; 0 for silence."""
        lowest = 20 * np.log10(_FLOOR)
        magnitudes = (level(transform(samples)) - np.float32(lowest)) / np.float32(_HEADROOM - lowest)
        loudness = magnitudes.sum(axis=0)
        loud = loudness > _LOUD * loudness.max()
        if not loud.any():
            return 0.0
        band = magnitudes[:_BINS]
        counts = [int(len(loud) * speed) for speed in _SPEEDS.values()]
        outputs = _network(self._weights)(*(_at_speed(band, count)[None] for count in counts))
        means = []
        for output, count in zip(outputs, counts, strict=True):
            nearest = np.arange(count, dtype=np.float32) * np.float32(len(loud) / count)
            counted = loud[np.minimum(nearest.astype(np.intp), len(loud) - 1)]
            means.append(output[0] @ counted / max(1, np.count_nonzero(counted)))
        weights, marks = np.array(means).T
        shares = np.exp(weights - weights.max())
        return float(np.clip(marks @ shares / shares.sum(), 0, 1))


def transform(samples: Floats) -> Spectrum:
    """Return the spectrum (bins, moments) of samples (n,), whose moments are 10 ms apart."""
    padded = np.pad(samples, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    return np.fft.rfft(frames * _window()).T.astype(np.complex64, copy=False)


def restore(spectrum: Spectrum, length: int) -> Floats:
    """Return the ``length`` samples that have a ``spectrum``."""
    window = _window()
    frames = np.fft.irfft(spectrum.T) * window
    sums = np.zeros((2, _WINDOW + _HOP * (len(frames) - 1)), np.float32)
    for number, frame in enumerate(frames):
        sums[:, number * _HOP : number * _HOP + _WINDOW] += frame, window**2
    samples, weights = sums[:, _WINDOW // 2 :][:, :length]
    return samples / weights


def level(spectrum: Spectrum) -> Floats:
    """Return the level in dB of each value of a ``spectrum``."""
    decibels: Floats = 20 * np.log10(np.maximum(np.abs(spectrum), np.float32(_FLOOR)))
    return decibels


@cache
def _window() -> Floats:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def _at_speed(band: Floats, count: int) -> Floats:
    """Return a ``band`` (bins, moments) with ``count`` moments, interpolated from the first to the last."""
    last = band.shape[1] - 1
    if count == last + 1:
        return band
    places = np.arange(count, dtype=np.float32) * np.float32(last / (count - 1))
    before = places.astype(np.intp)
    share = places - before.astype(np.float32)
    return band[:, before] * (1 - share) + band[:, np.minimum(before + 1, last)] * share


@cache
def _network(weights: Path) -> Runner:
    return open_graph(_graph(read_tensors(weights)["model"]))


def _graph(tensors: Mapping[str, Floats]) -> bytes:
    """Return an ONNX model from the band (1, 128, n) at each speed, n as may be, to outputs (1, 2, n)."""
    from onnx import TensorProto, helper, numpy_helper  # takes a quarter of a second

    nodes, constants, outputs = [], [], []
    for speed in _SPEEDS:
        values = speed
        for number in range(_LAYERS):
            name = f"decoder.{speed}_layers.{number}.conv"
            names = [f"{name}.weight", f"{name}.bias"]
            constants += [numpy_helper.from_array(tensors[constant], constant) for constant in names]
            margin = tensors[names[0]].shape[2] // 2
            nodes.append(helper.make_node("Conv", [values, *names], [name], pads=[margin, margin]))
            values = name
            if number < _LAYERS - 1:
                values = f"{name}.rectified"
                nodes.append(helper.make_node("LeakyRelu", [name], [values], alpha=_SLOPE))
        outputs.append(values)

    def described(names: Iterable[str], size: int) -> list[Any]:
        return [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size, f"{name} moments"])
            for name in names
        ]

    graph = helper.make_graph(nodes, "perth", described(_SPEEDS, _BINS), described(outputs, 2), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    serialised: bytes = model.SerializeToString()
    return serialised


def read_tensors(path: Path) -> dict[str, Any]:
    """Return what ``torch.save`` wrote: nested dictionaries with arrays in place of tensors.

    ``torch.load`` would import torch, which takes seconds and which no other part of an analysis needs that
    flags nothing. Only what such a file needs is unpickled, so that a file runs no code; raises
    :class:`pickle.UnpicklingError` for anything else.
    """
    with zipfile.ZipFile(path) as archive:
        tensors: dict[str, Any] = _Unpickler(archive).load()
    return tensors


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile) -> None:
        super().__init__(io.BytesIO(archive.read("archive/data.pkl")))
        self._archive = archive

    def find_class(self, module: str, name: str) -> object:
        """Return what stands for a global of torch."""
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch.FloatStorage": np.dtype("<f4"),
            "torch._utils._rebuild_tensor_v2": _tensor,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not read")
        return known[f"{module}.{name}"]

    def persistent_load(self, identifier: tuple[str, np.dtype[Any], str, str, int]) -> Floats:
        """Return the values (n,) of a storage."""
        _, kind, number, _, _ = identifier
        return np.frombuffer(self._archive.read(f"archive/data/{number}"), kind)


def _tensor(
    storage: Floats, offset: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: object
) -> Floats:
    """Return the tensor whose values begin at ``offset`` of a ``storage`` and lie there row by row."""
    if steps != tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape))):
        raise pickle.UnpicklingError(f"steps of {steps} are not read")
    return storage[offset : offset + math.prod(shape)].reshape(shape)

"""The network of voices: log-mel spectrogram, convolutions and two transformer blocks, pooled over speech.

The encoder has the architecture of Whisper (Radford et al., 2022, arXiv:2212.04356) up to its second block.
It sees 4 s at a time and gives mean and mean square of its tokens in *cells* of half a second; any window of
cells is judged from these, so that overlapping windows cost one pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.voice.runtime import Runner, open_graph
from detector.voice.samples import RATE, Samples

CELL = RATE // 2
"""Samples of a cell."""
CELLS_AT_ONCE = 8
"""Cells that the encoder sees together."""
MELS = 80
HIGHEST = 7000.0
"""Hertz above which nothing is seen: many codecs remove it, so it would tell the codec, not the voice."""
WIDTH, HEADS, BLOCKS = 512, 8, 2
_FFT, _HOP = 400, 160
_TOKENS = 25  # of a cell
_LOUDEST = 1.25  # logarithm of the power of the loudest place: the mean of the recordings learnt from

Floats = NDArray[np.float32]
Weights = Mapping[str, NDArray[Any]]


@cache
def mel_filters() -> Floats:
    """Return the triangular filters (80, 201) of Whisper's log-mel spectrogram (Slaney, 1998)."""
    step, corner, ratio = 200 / 3, 1000.0, np.log(6.4) / 27

    def to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(mel >= 15, corner * np.exp(ratio * (mel - 15)), mel * step)

    top = 15 + np.log(RATE / 2 / corner) / ratio
    points = to_hertz(np.linspace(0, top, MELS + 2))
    hertz = np.linspace(0, RATE / 2, _FFT // 2 + 1)
    rise = (hertz - points[:-2, None]) / np.diff(points)[:-1, None]
    fall = (points[2:, None] - hertz) / np.diff(points)[1:, None]
    filters = np.maximum(0, np.minimum(rise, fall)) * (2 / (points[2:] - points[:-2]))[:, None]
    filters[:, hertz > HIGHEST] = 0
    return filters.astype(np.float32)


def power_spectrum(samples: Samples) -> Floats:
    """Return the power (201, n) of frames of 25 ms every 10 ms; n is the number of samples / 160."""
    padded = np.pad(samples, _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP][: len(samples) // _HOP]
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames * window)
    power: Floats = (spectrum.real**2 + spectrum.imag**2).T.astype(np.float32)
    return power


def log_mel(power: Floats) -> Floats:
    """Return Whisper's log-mel spectrogram (80, n) of a power spectrum, raised to one loudness.

    Whisper's depends on the volume, which would tell recordings apart that were levelled by machines.
    """
    mel = mel_filters() @ power
    levelled = np.log10(np.maximum(mel / max(float(mel.max()), 1e-20), 1e-8)) + _LOUDEST
    out: Floats = ((levelled + 4) / 4).astype(np.float32)
    return out


class VoiceNetwork:
    """Encoder and head, from the tensors of a weight file."""

    def __init__(self, weights: Weights) -> None:
        self._encoder: Runner = open_graph(encoder_graph(weights))
        self._weight = weights["head.weight"].astype(np.float32)
        self._bias = float(weights["head.bias"].reshape(-1)[0])

    def cells(self, mels: Floats) -> Floats:
        """Return the cells (n, c, 2, 1024) of spectrograms (n, 80, 50 · c), of mean and mean square."""
        (out,) = self._encoder(mels)
        return np.asarray(out, np.float32)

    def logit(self, cells: Floats, shares: Floats) -> float:
        """Return the raw score of ``cells`` (c, 2, 1024), weighted by their ``shares`` of speech."""
        return float(pooled(cells, shares) @ self._weight + self._bias)


def pooled(cells: Floats, shares: Floats) -> Floats:
    """Return mean and deviation (2048,) of the tokens of ``cells``, weighted by the ``shares`` of speech."""
    weights = shares / shares.sum()
    mean, square = np.tensordot(weights, cells, 1)
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 1e-6))])


def encoder_graph(weights: Weights) -> bytes:
    """Return the encoder as an ONNX model, for any number of spectrograms of whole cells.

    Names of ``weights``: ``positions``; ``conv1``, ``conv2`` and, in ``block0`` and ``block1``,
    ``attention_norm``, ``qkv``, ``out``, ``mlp_norm``, ``fc1``, ``fc2``, each with ``weight`` and ``bias`` as
    torch lays them out.
    """
    return _Graph(weights).build()


class _Graph:
    """Collects nodes; every method returns the name of its result."""

    def __init__(self, weights: Weights) -> None:
        # Loading takes a quarter of a second, so only where there is sound.
        from onnx import TensorProto, helper, numpy_helper

        self._helper, self._numpy, self._float = helper, numpy_helper, TensorProto.FLOAT
        self._weights, self._nodes, self._constants = weights, [], {}  # type: ignore[var-annotated]
        self._count = 0

    def build(self) -> bytes:
        x = self._gelu(self._convolution("mel", "conv1", 1))
        x = self._gelu(self._convolution(x, "conv2", 2))
        x = self._node("Transpose", x, perm=[0, 2, 1])
        length = self._node("Gather", self._node("Shape", x), self._ints([1]), axis=0)
        places = self._node("Slice", self._tensor("positions"), self._ints([0]), length, self._ints([0]))
        x = self._node("Add", x, places)
        outputs = []
        for number in range(BLOCKS):
            x = self._block(x, f"block{number}.")
            outputs.append(x)
        tokens = self._node("Concat", *outputs, axis=2)
        cells = self._node("Reshape", tokens, self._ints([0, -1, _TOKENS, BLOCKS * WIDTH]))
        axis = self._ints([2])
        mean = self._node("ReduceMean", cells, axis, keepdims=1)
        square = self._node("ReduceMean", self._node("Mul", cells, cells), axis, keepdims=1)
        self._nodes.append(self._helper.make_node("Concat", [mean, square], ["cells"], axis=2))
        make, value = self._helper, self._helper.make_tensor_value_info
        graph = make.make_graph(
            self._nodes,
            "voice",
            [value("mel", self._float, ["n", MELS, "frames"])],
            [value("cells", self._float, ["n", "c", 2, BLOCKS * WIDTH])],
            list(self._constants.values()),
        )
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
        serialised: bytes = model.SerializeToString()
        return serialised

    def _block(self, x: str, name: str) -> str:
        given = self._norm(x, f"{name}attention_norm")
        split = self._node(
            "Reshape", self._linear(given, f"{name}qkv"), self._ints([0, -1, 3, HEADS, WIDTH // HEADS])
        )
        q, k, v = (
            self._node("Squeeze", self._node("Gather", split, self._ints([i]), axis=2), self._ints([2]))
            for i in range(3)
        )
        q = self._node("Transpose", q, perm=[0, 2, 1, 3])
        k = self._node("Transpose", k, perm=[0, 2, 3, 1])
        v = self._node("Transpose", v, perm=[0, 2, 1, 3])
        scaled = self._node("Mul", self._node("MatMul", q, k), self._number((WIDTH / HEADS) ** -0.5))
        seen = self._node("MatMul", self._node("Softmax", scaled, axis=-1), v)
        joined = self._node(
            "Reshape", self._node("Transpose", seen, perm=[0, 2, 1, 3]), self._ints([0, -1, WIDTH])
        )
        x = self._node("Add", x, self._linear(joined, f"{name}out"))
        hidden = self._gelu(self._linear(self._norm(x, f"{name}mlp_norm"), f"{name}fc1"))
        return self._node("Add", x, self._linear(hidden, f"{name}fc2"))

    def _convolution(self, x: str, name: str, stride: int) -> str:
        return self._node(
            "Conv",
            x,
            self._tensor(f"{name}.weight"),
            self._tensor(f"{name}.bias"),
            pads=[1, 1],
            strides=[stride],
        )

    def _linear(self, x: str, name: str) -> str:
        product = self._node("MatMul", x, self._tensor(f"{name}.weight", turned=True))
        return self._node("Add", product, self._tensor(f"{name}.bias"))

    def _norm(self, x: str, name: str) -> str:
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        return self._node("LayerNormalization", x, weight, bias, axis=-1, epsilon=1e-5)

    def _gelu(self, x: str) -> str:
        erf = self._node("Erf", self._node("Mul", x, self._number(0.5**0.5)))
        return self._node(
            "Mul", self._node("Mul", x, self._number(0.5)), self._node("Add", erf, self._number(1.0))
        )

    def _tensor(self, name: str, turned: bool = False) -> str:
        array = self._weights[name].astype(np.float32)
        return self._constant(name, np.ascontiguousarray(array.T if turned else array))

    def _ints(self, values: Sequence[int]) -> str:
        return self._constant(f"ints {list(values)}", np.array(values, np.int64))

    def _number(self, value: float) -> str:
        return self._constant(f"number {value}", np.array(value, np.float32))

    def _constant(self, name: str, array: NDArray[Any]) -> str:
        self._constants.setdefault(name, self._numpy.from_array(array, name))
        return name

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self._count += 1
        name = f"{kind} {self._count}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

"""The encoders of the network of voices as one ONNX graph, built from the tensors of a weight file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MELS = 80
WIDTH, HEADS, BLOCKS = 512, 8, 2
"""Of Whisper base: width of a token, heads of attention, and blocks that are used of six."""
TOKENS = 25
"""Tokens of a cell of half a second, of both encoders."""
BINS = 161
"""Frequencies of the spectrum that the encoder of quality is given: every 50 Hz up to 8 kHz."""
QUALITY_WIDTH, QUALITY_HEADS, QUALITY_BLOCKS = 200, 8, 7
STRIDES = ((1, 1), (2, 1), (2, 1), (2, 1), (2, 1), (2, 2))
"""Steps in frequency and time of the convolutions of the encoder of quality."""
FEATURES = BLOCKS * WIDTH + QUALITY_BLOCKS * QUALITY_WIDTH
"""Values of a token that are pooled: those of all blocks of both encoders."""
_SLOPE = 0.1  # of the leaky rectifiers

Weights = Mapping[str, NDArray[Any]]


def encoder_graph(weights: Weights) -> bytes:
    """Return both encoders as one ONNX model, for any number of spectra of whole cells.

    Names of ``weights``: ``positions``; ``conv1``, ``conv2`` and, in ``block0`` and ``block1``,
    ``attention_norm``, ``qkv``, ``out``, ``mlp_norm``, ``fc1``, ``fc2``, each with ``weight`` and ``bias`` as
    torch lays them out. The encoder of quality has ``quality.conv0`` to ``conv5``, ``quality.project``,
    ``quality.positions``, and the same names in ``quality.block0`` to ``block6``.
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
        cells = [self._cells(self._whisper(), BLOCKS * WIDTH)]
        cells.append(self._cells(self._quality(), QUALITY_BLOCKS * QUALITY_WIDTH))
        self._nodes.append(self._helper.make_node("Concat", cells, ["cells"], axis=3))
        make, value = self._helper, self._helper.make_tensor_value_info
        graph = make.make_graph(
            self._nodes,
            "voice",
            [
                value("mel", self._float, ["n", MELS, "frames"]),
                value("spectrum", self._float, ["n", 2, BINS, "frames"]),
            ],
            [value("cells", self._float, ["n", "c", 2, FEATURES])],
            list(self._constants.values()),
        )
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
        serialised: bytes = model.SerializeToString()
        return serialised

    def _whisper(self) -> str:
        x = self._gelu(self._convolution("mel", "conv1", strides=[1], pads=[1, 1]))
        x = self._gelu(self._convolution(x, "conv2", strides=[2], pads=[1, 1]))
        x = self._placed(self._node("Transpose", x, perm=[0, 2, 1]), "positions")
        outputs = []
        for number in range(BLOCKS):
            name = f"block{number}."
            given = self._norm(x, f"{name}attention_norm")
            x = self._node("Add", x, self._attention(given, name, WIDTH, HEADS))
            hidden = self._gelu(self._linear(self._norm(x, f"{name}mlp_norm"), f"{name}fc1"))
            x = self._node("Add", x, self._linear(hidden, f"{name}fc2"))
            outputs.append(x)
        return self._node("Concat", *outputs, axis=2)

    def _quality(self) -> str:
        x = "spectrum"
        for number, strides in enumerate(STRIDES):
            x = self._convolution(x, f"quality.conv{number}", strides=strides, pads=[0, 1, 0, 1])
            x = self._node("LeakyRelu", x, alpha=_SLOPE)
        channels = self._weights["quality.project.weight"].shape[1]
        x = self._node("Reshape", x, self._ints([0, channels, -1]))
        x = self._linear(self._node("Transpose", x, perm=[0, 2, 1]), "quality.project")
        x = self._placed(x, "quality.positions")
        outputs = []
        for number in range(QUALITY_BLOCKS):
            name = f"quality.block{number}."
            x = self._node("Add", x, self._attention(x, name, QUALITY_WIDTH, QUALITY_HEADS))
            x = self._norm(x, f"{name}attention_norm")
            hidden = self._node("Relu", self._linear(x, f"{name}fc1"))
            x = self._norm(self._node("Add", x, self._linear(hidden, f"{name}fc2")), f"{name}mlp_norm")
            outputs.append(x)
        return self._node("Concat", *outputs, axis=2)

    def _cells(self, tokens: str, width: int) -> str:
        """Return mean and mean square (n, c, 2, width) of tokens (n, 25 · c, width)."""
        cells = self._node("Reshape", tokens, self._ints([0, -1, TOKENS, width]))
        axis = self._ints([2])
        mean = self._node("ReduceMean", cells, axis, keepdims=1)
        square = self._node("ReduceMean", self._node("Mul", cells, cells), axis, keepdims=1)
        return self._node("Concat", mean, square, axis=2)

    def _placed(self, x: str, positions: str) -> str:
        length = self._node("Gather", self._node("Shape", x), self._ints([1]), axis=0)
        places = self._node("Slice", self._tensor(positions), self._ints([0]), length, self._ints([0]))
        return self._node("Add", x, places)

    def _attention(self, x: str, name: str, width: int, heads: int) -> str:
        split = self._node(
            "Reshape", self._linear(x, f"{name}qkv"), self._ints([0, -1, 3, heads, width // heads])
        )
        q, k, v = (
            self._node("Squeeze", self._node("Gather", split, self._ints([i]), axis=2), self._ints([2]))
            for i in range(3)
        )
        q = self._node("Transpose", q, perm=[0, 2, 1, 3])
        k = self._node("Transpose", k, perm=[0, 2, 3, 1])
        v = self._node("Transpose", v, perm=[0, 2, 1, 3])
        scaled = self._node("Mul", self._node("MatMul", q, k), self._number((width / heads) ** -0.5))
        seen = self._node("MatMul", self._node("Softmax", scaled, axis=-1), v)
        joined = self._node(
            "Reshape", self._node("Transpose", seen, perm=[0, 2, 1, 3]), self._ints([0, -1, width])
        )
        return self._linear(joined, f"{name}out")

    def _convolution(self, x: str, name: str, strides: Sequence[int], pads: Sequence[int]) -> str:
        weight, bias = self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias")
        return self._node("Conv", x, weight, bias, pads=list(pads), strides=list(strides))

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

"""A network that came as an ONNX file: run by OpenVINO or ONNX Runtime, its output turned into logits."""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from detector.backends.base import Backend
from detector.errors import ModelError
from detector.schema.onnx_network import Gives, Output
from detector.schema.translatable import N_

_LEAST = 1e-7  # probabilities are taken to lie so far from 0 and 1, logits within ±16


class OnnxFile:
    """``runs`` is the back end that has the network; :func:`logits_of` says what becomes of its output."""

    def __init__(self, runs: Backend, output: Output, one_by_one: bool, title: str) -> None:
        self.name, self.version, self.device = runs.name, runs.version, runs.device
        self.precision, self.threads = runs.precision, runs.threads
        self._runs, self._output, self._one_by_one, self._title = runs, output, one_by_one, title

    def get_ready(self) -> None:
        """See :class:`detector.backends.base.Backend`."""
        self._runs.get_ready()

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :class:`detector.backends.base.Backend`."""
        if self._one_by_one:
            out = np.concatenate([self._runs.run(crops[i : i + 1]) for i in range(len(crops))])
        else:
            out = self._runs.run(crops)
        return logits_of(out, len(crops), self._output, self._title)


def logits_of(out: NDArray[np.floating], count: int, meaning: Output, title: str) -> NDArray[np.float32]:
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

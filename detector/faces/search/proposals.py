"""Where in a whole frame faces may be, from a small network taught by CenterFace.

It takes a tenth of CenterFace's time and need not be exact: CenterFace looks at each place it proposes, and
what CenterFace does not find there is no face. ``detector.training.proposals`` trains it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.search.search_net import SearchNet
from detector.faces.search.searched_size import reduced, searched_scale
from detector.media.frame import Image
from detector.models.small_networks import FACE_PROPOSALS
from detector.schema.analysis import Box
from detector.schema.boxes import overlap

NARROWEST_PROPOSED = 14.0
"""Width in px, of the picture as it is searched, of the narrowest face that the network has learnt to see."""
STRIDE = 8  # px of a cell of the network's outputs
_LIKELY = 0.45  # probability of a place that is proposed, at least
_SAME = 0.5  # overlap of two boxes that are one place


class FaceProposals:
    """Places in RGB frames, which are searched at ``width`` px at most. Not to be shared between threads.

    ``network`` is an ONNX file other than the shipped one.
    """

    def __init__(self, width: int, network: Path | None = None) -> None:
        path = str(network or FACE_PROPOSALS.file())
        self._net = SearchNet(cv2.dnn.readNetFromONNX(path), path)
        self._width = width

    def __call__(self, image: Image) -> list[Box]:
        """Boxes of what may be a face in ``image``, in its pixels."""
        height, width = image.shape[:2]
        scale = searched_scale(image, self._width)
        image = reduced(image, (max(1, round(width * scale)), max(1, round(height * scale))))
        proposed: list[Box] = []
        for part in (1, 2):  # at half the size for faces larger than any the network has learnt to see
            size = tuple(32 * max(1, -(-round(side * scale / part) // 32)) for side in (width, height))
            # Stretched a little: averaging down to a size that is no half takes ten times as long.
            image = cv2.resize(image, (size[0], size[1]), interpolation=cv2.INTER_AREA)
            self._net.setInput(cv2.dnn.blobFromImage(image))
            heat, box = self._net.forward(["heat", "box"])
            stretch = np.array([width / size[0], height / size[1]] * 2, np.float32)
            for x0, y0, x1, y1 in (boxes_of(heat[0, 0], box[0]) * stretch).tolist():
                if not any(overlap((x0, y0, x1, y1), other) >= _SAME for other in proposed):
                    proposed.append((x0, y0, x1, y1))
        return proposed


def boxes_of(heat: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (n, 4) in px, the likeliest first, where ``heat`` (h, w), a logit, is highest all around.

    ``box`` (4, h, w) is as :class:`detector.training.proposals.network.ProposalNetwork` gives it.
    """
    least = np.float32(np.log(_LIKELY / (1 - _LIKELY)))
    rows, columns = np.nonzero((heat >= least) & (heat == cv2.dilate(heat, np.ones((3, 3), np.uint8))))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    right, below, width, height = box[:, rows, columns]
    middle = np.stack([columns + 0.5 + right, rows + 0.5 + below], axis=1) * STRIDE
    half = np.exp(np.stack([width, height], axis=1).clip(-4, 5)) * STRIDE / 2
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)

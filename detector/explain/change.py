"""Show what changed in a face between a peak frame and a calm frame of the same person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends.explaining import PatchGraphs
from detector.explain.hiding import Mask
from detector.faces.crop import INNER
from detector.media.frame import Image
from detector.models.card import Input
from detector.scoring.moments import AS_IT_IS, KeptMoment, crop_in_view

if TYPE_CHECKING:
    from detector.networks.base import Network

_STEPS, _ENOUGH = 50, 1e-4  # of the search for the alignment
_BLUR = 9  # px, of the pictures that are aligned
_TOKEN_BLUR = 0.7  # standard deviation, in patches


def change_map(peak: KeptMoment, calm: KeptMoment, network: Network | PatchGraphs, card_input: Input) -> Mask:
    """Return how far each patch of the inner face differs from the calm face in feature space: (size, size).

    The calm face is aligned to the peak's, and tokens are compared by one minus their cosine similarity. No
    score and no gradient is involved; places outside the face are 0.
    """
    size = card_input.size
    crop, other = (crop_in_view(moment, AS_IT_IS, INNER, size) for moment in (peak, calm))
    return token_distances(network, card_input, crop, aligned(other, crop))


def aligned(crop: Image, to: Image) -> Image:
    """Warp ``crop`` to align it with ``to``, by the best affine map (ECC, Evangelidis, 2008)."""
    size = to.shape[0]
    template, moving = (cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) for image in (to, crop))
    warp: Any = np.eye(2, 3, dtype=np.float32)
    ends = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, _ENOUGH)
    try:
        _, warp = cv2.findTransformECC(template, moving, warp, cv2.MOTION_AFFINE, ends, None, _BLUR)
    except cv2.error:
        return crop  # no correlation, as between two different pictures
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(crop, warp, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def token_distances(network: Network | PatchGraphs, card_input: Input, crop: Image, other: Image) -> Mask:
    """Return the distance of each patch of two crops in feature space, at the size of the crops."""
    features = _patch_features(network, card_input, [crop, other])
    first, second = features / np.maximum(np.linalg.norm(features, axis=2, keepdims=True), 1e-12)
    distances = 1 - (first * second).sum(axis=1)
    side = int(np.sqrt(distances.size))
    smooth = cv2.GaussianBlur(
        distances.reshape(side, side), (0, 0), _TOKEN_BLUR, borderType=cv2.BORDER_REPLICATE
    )
    large = cv2.resize(smooth, crop.shape[:2], interpolation=cv2.INTER_CUBIC)
    return np.where(_inside_face(crop.shape[0]), np.maximum(large, 0), np.float32(0))


def _patch_features(
    network: Network | PatchGraphs, card_input: Input, crops: Sequence[Image]
) -> NDArray[np.float32]:
    if isinstance(network, PatchGraphs):
        return network.patch_features(crops)
    import torch

    from detector.backends.torch import prepare_images

    device = next(network.parameters()).device
    with torch.inference_mode():
        features: NDArray[np.float32] = (
            network.patch_features(prepare_images(crops, card_input, device)).cpu().numpy()
        )
        return features


def _inside_face(size: int) -> NDArray[np.bool_]:
    """Return the ellipse of the face in an inner square: hair and background move on their own."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    x, y = (columns - 0.5) / 0.424, (rows - 0.527) / 0.469  # of faces in the crops of aligned clips
    return np.asarray(x * x + y * y < 1)

"""Ready-made crops of one face each, without the frame around them: scored by all networks that see no more.

Where a second look's card has a fusion for crops, the fast network and the second network's inner face are
fused; nothing else is known of a crop. Each is seen with its mirror image, as photographs are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.backends import selection as backends
from detector.faces.crop import CropSquare, crop_square
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.scoring.fusion import INPUTS, Floats, Half
from detector.scoring.scorer import Scorer, run_in_batches, sigmoid

# The framing of whole frames takes in a little less than the DFDC crops do; see faces.SIDE_PER_BOX.
CROP_SCALE = 0.96
_OF_CROPS = 3  # of INPUTS: the fast network's, and the two of the inner face
_BATCH = 32


def framed_crop(image: Image, size: int) -> Image:
    """A ready-made crop as the network sees faces: its middle square, at the framing's scale."""
    height, width = image.shape[:2]
    return crop_square(image, CropSquare(width / 2, height / 2, min(height, width) * CROP_SCALE, 0.0), size)


class CropScorer:
    """Probabilities of ready-made crops by ``model``."""

    def __init__(self, model: LoadedModel) -> None:
        self._scan = Scorer(model.alone, still=True)
        self._second = model.second_look
        card = model.card.second_look
        self._fusion = Half.of(card.crops) if card is not None and card.crops is not None else None

    def probabilities(self, images: Sequence[Image]) -> list[float]:
        """The probability that each crop's face was manipulated; ``images`` (h, w, 3) are RGB."""
        if self._fusion is None:
            return [self._scan.probability(float(logit)) for logit in self._fast(images)]
        return [sigmoid(logit) for logit in self._fusion.logit(self.inputs(images)).tolist()]

    def inputs(self, images: Sequence[Image]) -> Floats:
        """Inputs (n, 7) of a fusion for crops: 0 what no crop tells. Needs a second look."""
        assert self._second is not None
        out = np.zeros((len(images), len(INPUTS)))
        if not images:
            return out
        crops = [framed_crop(image, self._second.card.input.size) for image in images]
        backend = backends.open_backend(self._second)
        mirrored = [crop[:, ::-1] for crop in crops]
        both = run_in_batches(backend, crops, _BATCH) + run_in_batches(backend, mirrored, _BATCH)
        out[:, 0], out[:, 1:_OF_CROPS] = self._fast(images), both[:, : _OF_CROPS - 1] / 2
        return out

    def _fast(self, images: Sequence[Image]) -> Floats:
        return self._scan.logits([framed_crop(image, self._scan.card.input.size) for image in images])

"""Ready-made crops of one face each, without the frame around them: scored by the scan alone.

The second look adds little where there is no frame around the face, at ten times the cost
(docs/models.md). Where its card has a calibration for crops, that one counts: the scan's own is set
for finding where to look. Each crop is seen with its mirror image, as photographs are.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.faces.crop import SIDE_PER_BOX, CropSquare, crop_square
from detector.media.frame import Image
from detector.models.card import Card
from detector.models.loaded import LoadedModel
from detector.schema.logistic import sigmoid
from detector.scoring.fusion import Floats
from detector.scoring.scorer import Scorer

# The framing of whole frames takes in a little less than the DFDC crops do (crop.SIDE_PER_BOX).
CROP_SCALE = 0.96


def framed_crop(image: Image, size: int, scale: float = CROP_SCALE) -> Image:
    """A ready-made crop as the network sees faces: its middle square, at the framing's scale."""
    height, width = image.shape[:2]
    return crop_square(image, CropSquare(width / 2, height / 2, min(height, width) * scale, 0.0), size)


def crop_for(image: Image, card: Card) -> Image:
    """Likewise for the network of ``card``. One that wants more than the crop shows gets all there is."""
    scale = CROP_SCALE
    if card.onnx:
        scale = min(1.0, card.onnx.framing.box * CROP_SCALE / SIDE_PER_BOX)
    return framed_crop(image, card.input.size, scale)


class CropScorer:
    """Probabilities of ready-made crops by ``model``."""

    def __init__(self, model: LoadedModel) -> None:
        self._scan = Scorer(model.alone, still=True)
        second = model.card.second_look
        self._calibration = second.crops if second is not None else None

    def probabilities(self, images: Sequence[Image]) -> list[float]:
        """The probability that each crop's face was manipulated; ``images`` (h, w, 3) are RGB."""
        logits = self.logits(images).tolist() if images else []
        own = self._calibration
        if own is None:
            return [self._scan.probability(logit) for logit in logits]
        return [sigmoid(own.scale * logit + own.offset) for logit in logits]

    def logits(self, images: Sequence[Image]) -> Floats:
        """The scan's logits (n,), not calibrated."""
        return self._scan.logits([crop_for(image, self._scan.card) for image in images])

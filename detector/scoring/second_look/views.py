"""The same moment seen once more: mirrored, shifted, scaled, re-encoded; each in both framings."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from detector.faces.crop import CropSquare, crop_square
from detector.faces.framing import head_square, inner_square
from detector.media.frame import Image
from detector.schema.analysis import Box
from detector.scoring.first_pass.moments import KeptMoment


@dataclass(frozen=True)
class MomentView:
    """How the same moment is looked at once more; shift in sides of the square, ``quality`` of a JPEG."""

    mirrored: bool = False
    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    quality: int | None = None


AS_IT_IS = MomentView()
OTHER_VIEWS = (
    MomentView(mirrored=True),
    MomentView(dx=0.02, dy=0.012),
    MomentView(scale=1.1),
    MomentView(quality=60),
)


def crop_in_view(moment: KeptMoment, view: MomentView, framing: int, size: int) -> Image:
    """The inner face or the whole head, by its ``framing``, as ``view`` has it: (size, size, 3)."""
    crop = crop_square(moment.patch.image, squares(moment, view)[framing], size)
    if view.quality is not None:
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, view.quality]
        )
        crop = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(crop[:, ::-1]) if view.mirrored else crop


def squares(moment: KeptMoment, view: MomentView) -> tuple[CropSquare, CropSquare]:
    """Where both lie in the moment's patch."""
    image, box, _ = moment.patch
    height, width = image.shape[:2]
    return (
        inner_square(box, moment.roll, view.scale, view.dx, view.dy),
        head_square(box, width, height, view.scale, view.dx, view.dy),
    )


def in_frame(square: CropSquare, moment: KeptMoment, box: Box) -> CropSquare:
    """A ``square`` of the moment's patch in its frame, where the face has ``box``."""
    (left, top, *_), scale = moment.patch.box, moment.patch.scale
    return CropSquare(
        box[0] + (square.x - left) / scale,
        box[1] + (square.y - top) / scale,
        square.side / scale,
        square.angle,
    )

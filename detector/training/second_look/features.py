"""The finished transformer's features of crops, on which linear heads are fitted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.backends.openvino import knows_bfloat16
from detector.media.frame import Image
from detector.networks.vit_small_14 import ViTSmall14, pooled
from detector.progress import ReportText

_BATCH = 8
_REPORT_EVERY = 50  # batches


@torch.inference_mode()
def features_of(network: ViTSmall14, crops: Iterable[Image], report: ReportText) -> NDArray[np.float32]:
    """Features (n, f) of crops of the network's size, not standardised."""
    network.eval()
    out: list[NDArray[np.float32]] = []
    for some in batched(crops):
        out.append(pooled(taps_of(network, some)).numpy())
        if len(out) % _REPORT_EVERY == 0:
            report(f"features of {len(out) * _BATCH} crops")
    return np.concatenate(out)


@torch.inference_mode()
def taps_of(network: ViTSmall14, crops: Sequence[Image]) -> list[Tensor]:
    """Tokens (n, 1 + patches, width) of crops of the network's size after each tap, in single precision."""
    # Twice as fast where the processor knows bfloat16; features differ by a hundredth.
    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bfloat16()):
        taps = network.all_taps(network.normalised(torch.from_numpy(np.stack(crops))))
    return [tokens.float() for tokens in taps]


def batched(crops: Iterable[Image]) -> Iterator[list[Image]]:
    """Lists of ``_BATCH`` crops; the last may be shorter."""
    some: list[Image] = []
    for crop in crops:
        some.append(crop)
        if len(some) == _BATCH:
            yield some
            some = []
    if some:
        yield some

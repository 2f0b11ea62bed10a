"""Channels of sound: where they carry the same, and the mean of those that do."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SILENT = 10 ** (-65 / 20)
"""Root mean square below which sound is silent: the noise of sixteen bits at full scale is at -98 dB."""
# Correlation from which two channels carry the same: what is left of one is 10 dB below what it shares.
_ALIKE = 0.95
_UNNAMED = "NONE"
_STEREO = ("FL", "FR")


def channel_names(layout: av.AudioLayout) -> tuple[str, ...]:
    """Return FFmpeg's names of the channels of a ``layout``, such as FL; "" for those without a name.

    Two channels without names are left and right, as players take them.
    """
    names = tuple("" if channel.name == _UNNAMED else channel.name for channel in layout.channels)
    return _STEREO if names == ("", "") else names


def widen(samples: Samples, channels: int) -> Samples:
    """Return ``samples`` (c, n) on ``channels`` channels: one channel on all, further ones silent."""
    if len(samples) >= channels:
        return samples
    if len(samples) == 1:
        return np.repeat(samples, channels, axis=0)
    return np.pad(samples, ((0, channels - len(samples)), (0, 0)))


def mix(block: Samples, channels: Sequence[int] | None = None) -> Samples:
    """Return the mean (n,) of ``channels`` of ``block`` (c, n), counted from 0; None: of all.

    Channels in opposite phase to the first of them are turned, as they would cancel it. A mean exceeds no
    channel, so nothing is clipped.
    """
    numbers = range(len(block)) if channels is None else channels
    chosen = widen(block, max(numbers) + 1)[list(numbers)]
    if len(chosen) == 1:
        return chosen[0]
    signs = np.where(chosen @ chosen[0] < 0, np.float32(-1), np.float32(1))
    mean: Samples = (chosen * signs[:, None]).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def alike_channels(block: Samples, cell: int, channels: Sequence[int]) -> list[list[int]]:
    """Return ``channels`` of ``block`` (c, n) in groups of those that differ in no cell; firsts in order."""
    groups: list[list[int]] = []
    for channel in channels:
        for group in groups:
            if not differing_cells(block[group[0]], block[channel], cell).any():
                group.append(channel)
                break
        else:
            groups.append([channel])
    return groups


def differing_cells(first: Samples, second: Samples, cell: int) -> NDArray[np.bool_]:
    """Return in which cells of ``cell`` samples two channels (n,) carry something else, the last filled up.

    Loudness does not count, nor does opposite phase of the whole. Silence is like silence alone.
    """
    count = -(-len(first) // cell)
    filled = np.zeros((2, count * cell), np.float32)
    filled[0, : len(first)], filled[1, : len(second)] = first, second
    cells = filled.reshape(2, count, cell)
    energy = np.einsum("ijk,ijk->ij", cells, cells)
    shared = np.einsum("jk,jk->j", cells[0], cells[1])
    sign = -1 if shared.sum() < 0 else 1
    silent = energy < SILENT**2 * cell
    differ: NDArray[np.bool_] = sign * shared < _ALIKE * np.sqrt(energy[0] * energy[1])
    return np.where(silent.all(axis=0), False, silent.any(axis=0) | differ)

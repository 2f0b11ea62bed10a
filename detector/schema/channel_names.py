"""Names that people know for FFmpeg's names of channels, and channels in words."""

from __future__ import annotations

from collections.abc import Sequence

from detector.schema.formatting import N_

CHANNEL_NAMES = {
    "FL": N_("left"),
    "FR": N_("right"),
    "FC": N_("centre"),
    "LFE": N_("low frequencies"),
    "BL": N_("back left"),
    "BR": N_("back right"),
    "BC": N_("back centre"),
    "SL": N_("side left"),
    "SR": N_("side right"),
}
"""English names; FFmpeg's own is shown of others."""


def name_channels(numbers: Sequence[int], names: Sequence[str]) -> str:
    """Return channels in English, such as "channel 2 (right)"; "" for none.

    ``numbers`` count from 1; ``names`` are FFmpeg's of all channels of the stream, or empty.
    """
    if len(numbers) != 1:
        return f"channels {', '.join(map(str, numbers))}" if numbers else ""
    name = names[numbers[0] - 1] if numbers[0] <= len(names) else ""
    return f"channel {numbers[0]}" + (f" ({CHANNEL_NAMES.get(name, name)})" if name else "")

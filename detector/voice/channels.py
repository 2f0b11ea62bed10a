"""Hear the channels of a recording: together as long as they carry the same speech, else each for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy, deepcopy
from dataclasses import dataclass

import numpy as np

from detector.media.channels import Samples, alike_channels, differing_cells, mix
from detector.voice.network import CELL, VoiceNetwork
from detector.voice.outline import Outline
from detector.voice.samples import BLOCK
from detector.voice.windows import Listener, Listening, encode

MOST_CHANNELS = 8
"""Channels that are judged, those with the same speech as one: the first in which speech begins."""


@dataclass(frozen=True)
class HeardChannels:
    """What was heard in channels that carry the same speech, counted from 0, and their outline."""

    channels: tuple[int, ...]
    heard: Listening
    outline: Outline


@dataclass(frozen=True)
class Heard:
    """What was heard in all channels, and which of them carry speech that was left out."""

    groups: tuple[HeardChannels, ...]
    left_out: tuple[int, ...]


def listen_to_channels(
    blocks: Iterable[Samples], network: VoiceNetwork, seen: Callable[[], None] = lambda: None
) -> Heard:
    """Score the ``blocks`` of :meth:`~detector.voice.samples.SoundReader.channel_blocks`.

    Channels part where one carries other speech than the rest of its group, and stay apart. ``seen`` is
    called after each block.
    """
    groups, left_out = [_Group(network)], _LeftOut()
    width = 1
    for number, block in enumerate(blocks):
        if len(block) > width:
            added = tuple(range(width, len(block)))
            if width == 1:  # what was on the only channel was on all
                groups[0].channels += added
            else:
                groups.append(_Group(network, added, number))
            width = len(block)
        groups = [part for group in groups for part in group.parted(block)]
        groups.sort(key=lambda group: group.channels)
        for group in groups:
            group.add(block)
        groups = left_out.without(groups)
        seen()
        if groups[0].listener.waits_for_network:
            encode([group.listener for group in groups], network)
    encode([group.listener for group in groups], network)
    return Heard(
        tuple(HeardChannels(group.channels, group.listener.end(), group.outline) for group in groups),
        tuple(sorted(left_out.channels)),
    )


class _LeftOut:
    """The channels beyond the first :data:`MOST_CHANNELS` groups in which speech begins."""

    def __init__(self) -> None:
        self.channels: list[int] = []

    def without(self, groups: list[_Group]) -> list[_Group]:
        """Return the ``groups`` that are heard further."""
        kept = []
        places = MOST_CHANNELS - sum(group.speaks for group in groups)
        for group in groups:
            if not group.speaks and group.listener.waiting[-1].shares.any():
                if not places:
                    self.channels += group.channels
                    continue
                group.speaks = True
                places -= 1
            kept.append(group)
        return kept


class _Group:
    """Channels that have carried the same speech so far."""

    def __init__(
        self, network: VoiceNetwork, channels: tuple[int, ...] = (0,), silent_blocks: int = 0
    ) -> None:
        self.channels, self.speaks = channels, False
        self.listener, self.outline = Listener(network), Outline()
        for _ in range(silent_blocks):
            self._hear(np.zeros(BLOCK, np.float32))
            if self.listener.waits_for_network:
                encode([self.listener], network)

    def add(self, block: Samples) -> None:
        """Hear the next block (channels, n)."""
        self._hear(mix(block, self.channels))

    def _hear(self, samples: Samples) -> None:
        self.outline.add(samples)
        self.listener.add(samples)

    def parted(self, block: Samples) -> list[_Group]:
        """Return this group, plus new ones for its channels that carry other speech in the next ``block``."""
        parts = alike_channels(block, CELL, self.channels)
        if len(parts) == 1:
            return [self]
        differing = [differing_cells(block[parts[0][0]], block[members[0]], CELL) for members in parts]
        shares = [self.listener.shares_of_speech(mix(block, members)) for members in parts]
        apart = [
            number
            for number in range(1, len(parts))
            if np.maximum(shares[0], shares[number])[differing[number]].any()
        ]
        quiet = [channel for number in apart if not shares[number].any() for channel in parts[number]]
        new = [parts[number] for number in apart if shares[number].any()] + ([quiet] if quiet else [])
        groups = [self._fork(tuple(sorted(members))) for members in new]
        gone = {channel for group in groups for channel in group.channels}
        self.channels = tuple(channel for channel in self.channels if channel not in gone)
        return [self, *groups]

    def _fork(self, channels: tuple[int, ...]) -> _Group:
        """Return ``channels`` as a group that has heard the same so far; it takes a place once it speaks."""
        group = copy(self)
        group.channels, group.speaks = channels, False
        group.listener, group.outline = self.listener.fork(), deepcopy(self.outline)
        return group

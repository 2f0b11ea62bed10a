"""Score a recording in overlapping windows, with flat memory: one every 0.5 s, shorter ones at its edges.

Windows have 4 s where there is little speech, else 3 s, whose middle counts more: there, synthetic speech
within human speech stands out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from detector.media.channels import SILENT, differing_cells
from detector.voice.network import CELL, CELLS_AT_ONCE, VoiceNetwork, spectra
from detector.voice.samples import RATE, Samples
from detector.voice.speech import FRAME, SPEECH, SpeechFinder, share_in_cells

Floats = NDArray[np.float32]

STEP = CELL / RATE
"""Seconds from one window to the next."""
WINDOW_CELLS = 8
WINDOW = WINDOW_CELLS * STEP
"""Seconds of a window in recordings of little speech."""
SHORT_CELLS, _MIDDLE_CELLS = 6, 4
SHORT_WINDOW = SHORT_CELLS * STEP
"""Seconds of a window in recordings of much speech.

Its score is the mean of its own and that of its inner 2 s, where these have enough speech.
"""
MUCH_SPEECH = 8.0
"""Seconds of speech from which a recording is judged in short windows."""
LEAST_SPEECH = 1.0
"""Seconds of speech without which a window is not judged."""
LEAST_SHARE = 0.2
"""Share of a cell below which what speech it has is left out, such as the end of a word."""
_BATCH = 4  # blocks given to the encoder together


@dataclass(frozen=True)
class Window:
    """A judged window: its middle in seconds from the first sample, its speech in seconds, its raw score."""

    middle: float
    start: float
    end: float
    speech: float
    raw: float
    short: Window | None = None
    """The short window with the same middle; None if it has too little speech."""
    inner: slice | None = None
    """The cells of a short window whose own score is half of the raw score; None if all count alike."""


@dataclass
class Listening:
    """What was heard in a whole recording.

    After :func:`listen`, ``windows`` are short in recordings of much speech.
    """

    windows: list[Window] = field(default_factory=list)
    speech: list[float] = field(default_factory=list)
    """Share of speech of each cell."""
    silent: list[bool] = field(default_factory=list)
    """Whether each cell is silent."""
    levels: Levels = field(default_factory=lambda: Levels())

    @property
    def much_speech(self) -> bool:
        """Whether the windows are short ones."""
        return STEP * sum(self.speech) >= MUCH_SPEECH


class Levels:
    """Levels of speech and of what is between, and the mean spectrum of speech, from frames of 32 ms."""

    _LOWEST, _STEPS = -120, 121  # dB

    def __init__(self) -> None:
        self._speech = np.zeros(self._STEPS, np.int64)
        self._between = np.zeros(self._STEPS, np.int64)
        self._spectrum = np.zeros(FRAME // 2 + 1)

    def add(self, samples: Samples, speech: Floats) -> None:
        """Add the whole frames of ``samples``, whose probabilities of speech are given."""
        count = len(samples) // FRAME
        frames, spoken = samples[: count * FRAME].reshape(-1, FRAME), speech[:count] >= SPEECH
        level = 10 * np.log10(np.maximum((frames**2).mean(axis=1), 1e-12))
        numbers = np.clip(np.round(level) - self._LOWEST, 0, self._STEPS - 1).astype(int)
        np.add.at(self._speech, numbers[spoken], 1)
        np.add.at(self._between, numbers[~spoken], 1)
        if spoken.any():
            window = np.hanning(FRAME).astype(np.float32)
            self._spectrum += (np.abs(np.fft.rfft(frames[spoken] * window)) ** 2).sum(axis=0)

    def noise_ratio(self) -> float | None:
        """Return the level of speech above that of pauses, dB; None without a second of both."""
        if min(self._speech.sum(), self._between.sum()) < RATE // FRAME:
            return None
        return self._quantile(self._speech, 0.5) - self._quantile(self._between, 0.5)

    def bandwidth(self) -> float | None:
        """Return the hertz above which speech is 60 dB below its strongest part; None without speech."""
        if not self._speech.sum():
            return None
        smooth = np.convolve(self._spectrum, np.ones(5) / 5, "same")
        heard = np.flatnonzero(smooth >= smooth.max() * 1e-6)
        return float(heard[-1] * RATE / FRAME)

    def _quantile(self, counts: NDArray[np.int64], share: float) -> float:
        return float(self._LOWEST + np.searchsorted(np.cumsum(counts), share * counts.sum()))


def listen(
    blocks: Iterable[Samples], network: VoiceNetwork, seen: Callable[[Samples], None] = lambda _block: None
) -> Listening:
    """Score all windows of the ``blocks`` of :meth:`~detector.voice.samples.SoundReader.blocks`.

    ``seen`` is called with each block.
    """
    listener = Listener(network)
    for block in blocks:
        seen(block)
        listener.add(block)
        if listener.waits_for_network:
            encode([listener], network)
    encode([listener], network)
    return listener.end()


@dataclass
class HeardBlock:
    """A block in whole cells, their shares of speech, which are silent, and what the encoders made of it."""

    samples: Samples
    shares: Floats
    silent: NDArray[np.bool_]
    cells: Floats | None = None
    """None: without speech, or not encoded yet."""


class Listener:
    """Hears the blocks of one sound in order; :func:`encode` gives what it has heard to the network."""

    def __init__(self, network: VoiceNetwork) -> None:
        self.waiting: list[HeardBlock] = []
        self._heard, self._pool, self._finder = Listening(), WindowPool(network.logit), SpeechFinder()

    @property
    def waits_for_network(self) -> bool:
        """Whether as many blocks wait as the network takes at once."""
        return len(self.waiting) == _BATCH

    def fork(self) -> Listener:
        """Return a second listener that has heard the same so far."""
        second = copy(self)
        second.waiting = [replace(block) for block in self.waiting]
        second._heard, second._finder = deepcopy(self._heard), self._finder.fork()
        second._pool = self._pool.fork()
        return second

    def shares_of_speech(self, block: Samples) -> Floats:
        """Return the share of speech in each cell of the next ``block``, which is not added."""
        return _hear(block, self._finder.fork()(block)).shares

    def add(self, block: Samples) -> None:
        """Find speech in the next ``block``."""
        speech = self._finder(block)
        self._heard.levels.add(block, speech)
        self.waiting.append(_hear(block, speech))

    def judge(self) -> None:
        """Score the windows that the encoded blocks complete."""
        for block in self.waiting:
            self._heard.speech += block.shares.tolist()
            self._heard.silent += block.silent.tolist()
            self._heard.windows += self._pool.add(block.cells, block.shares)
        self.waiting = []

    def end(self) -> Listening:
        """Return what was heard, once all blocks are judged."""
        heard = self._heard
        heard.windows += self._pool.end()
        if heard.much_speech:
            heard.windows = [window.short or window for window in heard.windows]
        return heard


def _hear(block: Samples, speech: Floats) -> HeardBlock:
    count = -(-len(block) // CELL)
    padded = np.zeros(count * CELL, np.float32)
    padded[: len(block)] = block
    rms = np.sqrt((padded.reshape(count, CELL) ** 2).mean(axis=1))
    shares = share_in_cells(speech, CELL, count)
    shares[(shares < LEAST_SHARE) | (rms < SILENT)] = 0
    return HeardBlock(padded, shares, rms < SILENT)


def encode(listeners: Sequence[Listener], network: VoiceNetwork) -> None:
    """Encode the speech that the ``listeners`` have heard, and let them judge it.

    All have heard as many blocks. A block that is the same for several is encoded once.
    """
    for number, listener in enumerate(listeners):
        spoken = [i for i, block in enumerate(listener.waiting) if block.shares.any()]
        for i in spoken:
            block = listener.waiting[i]
            block.cells = next(
                (
                    other.waiting[i].cells
                    for other in listeners[:number]
                    if other.waiting[i].cells is not None
                    and not differing_cells(other.waiting[i].samples, block.samples, CELL).any()
                ),
                None,
            )
        missing = [listener.waiting[i] for i in spoken if listener.waiting[i].cells is None]
        whole = [block for block in missing if len(block.shares) == CELLS_AT_ONCE]
        if whole:
            encoded = network.cells([spectra(block.samples) for block in whole])
            for block, cells in zip(whole, encoded, strict=True):
                block.cells = cells
        for block in missing:
            if block.cells is None:  # the last one, which is shorter
                block.cells = network.cells([spectra(block.samples)])[0]
    for listener in listeners:
        listener.judge()


class WindowPool:
    """Keeps the cells of the present window; gives each window once its last cell is there.

    ``score`` gives the raw score of cells (c, 2, 2424) with their shares of speech.
    """

    def __init__(self, score: Callable[[Floats, Floats], float]) -> None:
        self._score = score
        self._cells: list[Floats | None] = []
        self._shares: list[float] = []
        self._first = 0  # number of the first cell kept
        self._next = 1  # number of the cell at the middle of the next window

    def fork(self) -> WindowPool:
        """Return a second pool with the same cells."""
        second = copy(self)
        second._cells, second._shares = list(self._cells), list(self._shares)
        return second

    def add(self, cells: Floats | None, shares: Floats) -> Iterator[Window]:
        """Add cells, None without speech, and yield the windows that are complete."""
        self._cells += [None] * len(shares) if cells is None else list(cells)
        self._shares += shares.tolist()
        end = self._first + len(self._shares)
        while self._next + WINDOW_CELLS // 2 <= end:
            yield from self._window()

    def end(self) -> Iterator[Window]:
        """Yield the last windows, which are shorter."""
        end = self._first + len(self._shares)
        while self._next < max(end, 2):
            yield from self._window()

    def _window(self) -> Iterator[Window]:
        middle = self._next
        self._next += 1
        start = max(0, middle - WINDOW_CELLS // 2)
        drop = start - self._first
        self._cells, self._shares, self._first = self._cells[drop:], self._shares[drop:], start
        near = self._shares[max(0, middle - 1 - start) : middle + 1 - start]
        window = self._judged(middle, WINDOW_CELLS)
        if window is None or not any(near):
            return
        short, inner = self._judged(middle, SHORT_CELLS), self._judged(middle, _MIDDLE_CELLS)
        if short is not None and inner is not None:
            first = round((inner.start - short.start) / STEP)
            cells = slice(first, first + round((inner.end - inner.start) / STEP))
            short = replace(short, raw=(short.raw + inner.raw) / 2, inner=cells)
        yield replace(window, short=short)

    def _judged(self, middle: int, length: int) -> Window | None:
        """Return the window of ``length`` cells around the start of cell ``middle``; None without speech."""
        start = max(self._first, middle - length // 2)
        kept = slice(start - self._first, middle + length // 2 - self._first)
        shares = np.array(self._shares[kept], np.float32)
        speech = float(shares.sum() * STEP)
        if speech < LEAST_SPEECH:
            return None
        spoken = np.flatnonzero(shares)
        given = self._cells[kept]
        cells = np.stack([cell for cell in (given[i] for i in spoken) if cell is not None])
        raw = self._score(cells, shares[spoken])
        return Window(middle * STEP, start * STEP, (start + len(shares)) * STEP, speech, raw)

"""Spliced speech: a synthetic stretch in human speech of one page, and as many cuts in human speech alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.statistics.temporal_metrics import Span, Timed, average_precision
from detector.voice.findings import find_segments, scores_of
from detector.voice.model import LoadedVoiceModel
from detector.voice.samples import BLOCK, RATE, Samples
from detector.voice.windows import listen
from training.voice.recordings import Recording

LEAST = 1.5
"""Seconds of a synthetic stretch at least."""
_FADE = RATE // 50  # samples of a cross-fade
_LEVEL = 0.05  # root mean square of every part
_AROUND = 2  # human recordings before, and after, the stretch in the middle


@dataclass(frozen=True)
class Splice:
    """Joined recordings, and the seconds from start to end of the synthetic part; None if all are human."""

    name: str
    samples: Samples
    synthetic: Span | None


def splices(recordings: Sequence[Recording], count: int) -> Iterator[Splice]:
    """Yield ``count`` recordings with a synthetic stretch in the middle, and ``count`` of human speech alone.

    All five parts are of the same page. Both kinds have four cuts, so that a cut teaches nothing.
    """
    rng = np.random.default_rng(2)
    pages: dict[str, tuple[list[Recording], list[Recording]]] = defaultdict(lambda: ([], []))
    for recording in recordings:
        pages[recording.page][recording.synthetic].append(recording)
    usable = [page for page, (human, fake) in sorted(pages.items()) if len(human) > 2 * _AROUND and fake]
    for number in range(2 * count):
        human, fake = pages[usable[number // 2 % len(usable)]]
        around = [human[i] for i in rng.permutation(len(human))[: 2 * _AROUND + 1]]
        middle = fake[rng.integers(len(fake))] if number % 2 else around[-1]
        parts = [*around[:_AROUND], middle, *around[_AROUND : 2 * _AROUND]]
        samples, edges = _joined([part.samples() for part in parts])
        span = edges[_AROUND], edges[_AROUND + 1]
        if middle.synthetic and span[1] - span[0] < LEAST:
            continue
        yield Splice(f"{number} {middle.name}", samples, span if middle.synthetic else None)


def _joined(parts: Sequence[Samples]) -> tuple[Samples, list[float]]:
    """Return the parts at one level with cross-fades, and the middle of each cut in seconds."""
    joined, edges = np.zeros(0, np.float32), [0.0]
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    for part in parts:
        levelled = part * np.float32(_LEVEL / max(1e-5, float(np.sqrt(np.mean(part**2)))))
        if len(joined):
            joined[-_FADE:] = joined[-_FADE:] * (1 - ramp) + levelled[:_FADE] * ramp
            levelled = levelled[_FADE:]
        joined = np.concatenate([joined, levelled])
        edges.append((len(joined) - _FADE / 2) / RATE)
    return joined, edges


def average_precision_of(made: Sequence[tuple[Splice, LoadedVoiceModel]]) -> dict[str, float]:
    """Return AP at tIoU 0.5 of the segments that each one's network finds, and where it found any."""
    compared = []
    for splice, model in made:
        blocks = [splice.samples[at : at + BLOCK] for at in range(0, len(splice.samples), BLOCK)]
        heard = listen(blocks, model.network)
        segments = find_segments(heard.windows, scores_of(heard, model, 0.0), heard.speech)
        truth = () if splice.synthetic is None else (splice.synthetic,)
        compared.append(Timed(splice.name, truth, tuple((s.start, s.end, s.confidence) for s in segments)))
    spliced, human = ([timed for timed in compared if bool(timed.truth) is side] for side in (True, False))
    return {
        f"AP at tIoU 0.5, {len(spliced)} splices": average_precision(compared, 0.5),
        "splices with a segment": float(np.mean([bool(timed.proposals) for timed in spliced])),
        f"human speech alone with a segment, {len(human)} joined recordings": float(
            np.mean([bool(timed.proposals) for timed in human])
        ),
    }

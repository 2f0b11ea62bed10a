"""Ticks below the axis, of times or of scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reports.text.numbers import clock, shown, timecode
from reports.view.timeline.scale import LETTER, RIGHT, score_x, time_x

MOST_TICKS = 8
SMALL_LETTER = 4.9  # width of one digit of a time below the axis
# Seconds between two ticks.
STEPS = (
    0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400,
)  # fmt: skip


@dataclass(frozen=True)
class Tick:
    """One tick; ``anchor`` is the SVG's: whether its label starts, ends or is centred there."""

    x: float
    label: str
    anchor: str


def time_ticks(span: float) -> tuple[Tick, ...]:
    """At most :data:`MOST_TICKS` at round times; labels that would overlap are left out."""
    step = next((step for step in STEPS if span / step <= MOST_TICKS), STEPS[-1] * (span // STEPS[-1] + 1))
    ticks = []
    for index in range(int(span / step + 1e-9) + 1):
        time = index * step
        x = round(time_x(time, span), 1)
        label = clock(round(time)) if step >= 1 else timecode(time)
        ticks.append(Tick(x, label, "start" if index == 0 else "end" if x > RIGHT - 22 else "middle"))
    # Those at the ends reach inwards; what they would cover stays without words.
    wordy = [ticks[0], *ticks[:0:-1]]
    kept: list[Tick] = []
    for tick in wordy:
        if all(_apart_enough(tick, other) for other in kept):
            kept.append(tick)
    return tuple(tick if tick in kept else replace(tick, label="") for tick in ticks)


def _apart_enough(tick: Tick, other: Tick) -> bool:
    (left, right), (other_left, other_right) = _extent(tick), _extent(other)
    return right + LETTER <= other_left or other_right + LETTER <= left


def _extent(tick: Tick) -> tuple[float, float]:
    """Where the words of a tick begin and end."""
    wide = len(tick.label) * SMALL_LETTER
    left = tick.x - {"start": 0.0, "middle": wide / 2, "end": wide}[tick.anchor]
    return left, left + wide


def score_ticks() -> tuple[Tick, ...]:
    """Every fifth of the score, for the bars of a photo."""
    return tuple(
        Tick(round(score_x(tenth / 10), 1), shown(tenth / 10, ".1f"), "middle") for tenth in range(0, 11, 2)
    )

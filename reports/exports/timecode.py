"""Times as frame counts and timecodes, which is how editing software counts.

Frame numbers of an analysis are the file's own. Editing programs know frame numbers at one regular
rate; so a time becomes the number of the frame that is shown then on a regular grid, which is
off by half a frame of the grid at most, whatever the exhibit's own frames do.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from detector.schema.analysis import Media

# The rates at which editing software, and OpenTimelineIO, count timecode.
_WHOLE = (24, 25, 30, 48, 50, 60)
_NTSC = tuple(Fraction(whole * 1000, 1001) for whole in (24, 30, 48, 60))
TIMECODE_RATES = tuple(sorted({*map(Fraction, _WHOLE), *_NTSC}))
# Containers round: Matroska states 29.97 as 2997/100 or from milliseconds. 29.97 and 30 are four times
# as far apart.
_ROUNDING = Fraction(1, 4000)
_AVERAGED = Fraction(1, 200)  # of a variable rate's average
_USUAL = Fraction(25)  # where a file states no rate and holds no two frames


@dataclass(frozen=True)
class Grid:
    """Frames at ``rate`` a second, the first at time 0. ``note`` says if they are not the exhibit's own."""

    rate: Fraction
    note: str = ""

    @property
    def drop_frame(self) -> bool:
        """Whether timecode leaves out numbers to keep up with the clock: at 29.97 and 59.94, as is usual."""
        return self.rate in (Fraction(30000, 1001), Fraction(60000, 1001))

    def frame(self, seconds: float) -> int:
        """Number of the frame nearest to a time."""
        return round(Fraction(seconds) * self.rate)

    def timecode(self, frame: int) -> str:
        """``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` where it drops frame numbers."""
        base = round(self.rate)
        if self.drop_frame:
            # Numbers 0 and 1 (at 59.94, 0 to 3) are left out of each minute but every tenth.
            dropped = base // 15
            minute, ten = 60 * base - dropped, 600 * base - 9 * dropped
            tens, rest = divmod(frame, ten)
            frame += 9 * dropped * tens + (dropped * ((rest - dropped) // minute) if rest >= dropped else 0)
        seconds, number = divmod(frame, base)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02d}:{minute:02d}:{second:02d}{';' if self.drop_frame else ':'}{number:02d}"


def own_grid(media: Media) -> Grid:
    """The exhibit's own frames where its rate is constant, otherwise as :func:`timecode_grid`."""
    rate = _stated(media)
    if rate is None or media.variable_frame_rate:
        return timecode_grid(media)
    return Grid(_snapped(rate) or rate)


def timecode_grid(media: Media) -> Grid:
    """A grid that timecode can count: the exhibit's own where possible."""
    rate = _stated(media)
    if rate is None:
        return Grid(_USUAL, f"The exhibit states no frame rate; frames of {named(_USUAL)} are counted.")
    if media.variable_frame_rate:
        grid = _lowest_whole(rate * (1 - _AVERAGED))
        return Grid(
            grid,
            f"The exhibit's frame rate is variable, {float(rate):.3f} on average; "
            f"not its frames are counted but those of a clock of {named(grid)}.",
        )
    if (own := _snapped(rate)) is not None:
        return Grid(own)
    # A grid on which the exhibit's frames stand whole, or, above 60, every second or fourth of them.
    fitting = [grid for grid in TIMECODE_RATES if _is_whole(grid / rate)]
    coarser = [grid for grid in TIMECODE_RATES if _is_whole(rate / grid)]
    grid = fitting[0] if fitting else coarser[-1] if coarser else _lowest_whole(rate)
    return Grid(
        grid,
        f"No timecode counts {float(rate):.3f} frames a second, the exhibit's rate; "
        f"frames of {named(grid)} are counted.",
    )


def named(rate: Fraction) -> str:
    """A rate in words, such as ``29.97 frames a second (30000/1001)``."""
    if rate.denominator == 1:
        return f"{rate} frames a second"
    return f"{float(rate):.3f}".rstrip("0") + f" frames a second ({rate})"


def _stated(media: Media) -> Fraction | None:
    """The rate the file states, or what its frames and their duration amount to."""
    try:
        rate = Fraction(media.frame_rate) if media.frame_rate else Fraction(0)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0 and media.duration > 0:
        rate = Fraction(media.frames) / Fraction(media.duration)
    return rate if rate > 0 else None


def _snapped(rate: Fraction) -> Fraction | None:
    nearest = min(TIMECODE_RATES, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) <= nearest * _ROUNDING else None


def _is_whole(ratio: Fraction) -> bool:
    return round(ratio) >= 1 and abs(ratio - round(ratio)) <= ratio * _ROUNDING


def _lowest_whole(least: Fraction) -> Fraction:
    return Fraction(next((rate for rate in _WHOLE if rate >= least), _WHOLE[-1]))

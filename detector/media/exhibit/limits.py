"""How much a file may hold to be examined: pixels, frames, length. What is beyond is refused in words.

A few bytes can claim a picture of gigabytes or a video of years. What a file claims is looked at
before the first frame is decoded; what it then turns out to hold, as it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.errors import MediaError
from detector.schema.translatable import N_

_HOUR = 3600
_DAY = 24 * _HOUR


@dataclass(frozen=True)
class Bounds:
    """The most that is examined.

    ``pixels`` of one picture (16,384 × 8,192: decoded it takes 0.4 GB), ``aspect`` of its longer
    side to its shorter one, ``frames`` of a video, and ``seconds`` from its first to its last.
    """

    pixels: int = 16_384 * 8_192
    aspect: float = 64.0
    frames: int = 10_000_000
    seconds: float = _DAY

    def refuse_picture(self, width: int, height: int) -> None:
        """Raise :class:`MediaError` for a picture that is too large or too narrow; 0 is not known yet."""
        if width * height > self.pixels:
            raise MediaError(
                N_(
                    "The picture is %(width)s×%(height)s pixels, more than can be examined here. "
                    "Scale it down and try again."
                )
                % {"width": width, "height": height}
            )
        if min(width, height) > 0 and max(width, height) > self.aspect * min(width, height):
            raise MediaError(
                N_(
                    "The picture is %(width)s×%(height)s pixels, a strip in which there is no face "
                    "to see. Cut out the part in question and try again."
                )
                % {"width": width, "height": height}
            )

    def refuse_claims(self, seconds: float, frames: int) -> None:
        """Raise :class:`MediaError` for a file that says of itself that it is longer than this."""
        self.refuse_length(seconds)
        self.refuse_count(frames)

    def refuse_length(self, seconds: float) -> None:
        """Raise :class:`MediaError` beyond ``seconds``."""
        if seconds > self.seconds:
            raise MediaError(
                N_(
                    "The video lasts %(length)s by the times in it; at most %(allowed)s are examined at "
                    "once. Cut out the part in question, or convert the file if its times are wrong."
                )
                % {"length": _words(seconds), "allowed": _words(self.seconds)}
            )

    def refuse_count(self, frames: int) -> None:
        """Raise :class:`MediaError` beyond ``frames``."""
        if frames > self.frames:
            raise MediaError(
                N_(
                    "The video has more than %(frames)s frames, the most that are examined at once. "
                    "Cut out the part in question."
                )
                % {"frames": f"{self.frames:,}"}
            )


def _words(seconds: float) -> str:
    if seconds >= 2 * _DAY:
        return f"{seconds / _DAY:,.0f} days"
    return f"{seconds / _HOUR:.0f} hours" if seconds >= 2 * _HOUR else f"{seconds:.0f} seconds"

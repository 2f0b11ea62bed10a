"""What two exhibits have in common, as found by their fingerprints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from detector.schema.base import Seconds, Value

Share = Annotated[float, Field(ge=0, le=1)]
ABOUT_ALL = 0.95  # share of an exhibit's time from which on that is told as all of it
_MOST = 0.8
_PICTURE = 0.51  # seconds that one picture of a fingerprint stands for, and what rounding of shares adds
Size = tuple[int, int]  # width and height of the pictures, px
Place = Literal["top", "bottom", "part"]


class View(Value):
    """Part of a picture, as shares of its width and height."""

    left: Share = 0.0
    top: Share = 0.0
    right: Share = 1.0
    bottom: Share = 1.0

    @property
    def whole(self) -> bool:
        """Whether it is all of the picture."""
        return (self.left, self.top, self.right, self.bottom) == (0, 0, 1, 1)

    @property
    def area(self) -> float:
        """Share of the picture that it is."""
        return (self.right - self.left) * (self.bottom - self.top)


class Piece(Value):
    """A stretch of one exhibit and the stretch of the other that shows the same."""

    start: Seconds
    end: Seconds
    other_start: Seconds
    other_end: Seconds


class Match(Value):
    """One exhibit shows what another one shows, or a part of it.

    ``pieces`` are the stretches in common; of a photo, a single one without length. ``own`` and ``other``
    are the parts of both pictures that show the same, one of them whole. ``differs`` is where the pictures
    differ all the same: at the top or bottom, as captions make them, or elsewhere. ``share`` and
    ``other_share`` tell how much of each exhibit's time is in the other.
    """

    likeness: float = Field(ge=-1, le=1)
    pieces: tuple[Piece, ...]
    mirrored: bool = False
    own: View = View()
    other: View = View()
    differs: Place | None = None
    share: Share
    other_share: Share
    size: Size
    other_size: Size

    @property
    def of_all(self) -> bool:
        """Whether each is, to about all of its time, in the other: copies, not parts of one another."""
        return min(self.share, self.other_share) >= ABOUT_ALL

    @property
    def of_most(self) -> bool:
        """Whether most of each is in the other; what is not may be other footage, or cut off."""
        return min(self.share, self.other_share) >= _MOST

    @property
    def all_found(self) -> bool:
        """Whether all of this exhibit's time is in the other, give or take one picture of its fingerprint.

        Of a short clip one is a tenth of it; it may fall on the other side of a cut.
        """
        found = sum(piece.end - piece.start for piece in self.pieces)
        return self.share >= ABOUT_ALL or found * (1 - self.share) <= _PICTURE * self.share

    @property
    def still(self) -> bool:
        """Whether this exhibit is a photo."""
        return self.pieces[0].start == self.pieces[0].end

    @property
    def other_still(self) -> bool:
        """Whether the other one is."""
        return self.pieces[0].other_start == self.pieces[0].other_end

    def inverse(self) -> Match:
        """The same, told of the other exhibit."""
        pieces = sorted(
            (
                Piece(start=p.other_start, end=p.other_end, other_start=p.start, other_end=p.end)
                for p in self.pieces
            ),
            key=lambda piece: piece.start,
        )
        swapped: dict[str, object] = {"own": self.other, "other": self.own, "pieces": tuple(pieces)}
        swapped |= {"share": self.other_share, "other_share": self.share}
        return self.model_copy(update=swapped | {"size": self.other_size, "other_size": self.size})

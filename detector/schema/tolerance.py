"""How far a field may differ between two analyses of one exhibit: metadata of the fields of the schema.

A field without a tolerance must be the same, numbers with decimals to a thousandth. The limits rest on the
measurements in docs/evidence.md: arithmetic in another order (threads, batches, instruction sets, library
versions) changes the last digits of every score, and a face at the edge of being judged may change sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from detector.schema.formatting import N_


@dataclass(frozen=True)
class Tolerance:
    """How far a field may differ, and how it is compared."""

    by: float = 0.0
    """Numbers may differ by so much, or by ``share`` of the larger one."""
    share: float = 0.0
    side: float | None = None
    """Both numbers must lie on the same side of this one."""
    of: str = ""
    """Counts may differ by ``share`` of this field beside them, rounded up, and at least by one."""
    key: str = ""
    """Items of a list are paired by this field of theirs, rows of a value by this column."""
    alone: float = 0.0
    """Share of the items or rows of both that may have no counterpart."""
    both: bool = False
    """Compared only where both have it."""
    picture: bool = False
    """It is the path of a stored picture, which is compared as well."""
    how: str = ""
    """Name of a comparison in ``verification`` that needs more than the two values."""
    finding: bool = False
    """Compared also where another version of the engine made one of the two."""
    compared: bool = True
    """False: it follows from other fields, which is checked, or docs/evidence.md lists it."""

    def same(self, old: float, new: float) -> bool:
        """Check whether two numbers are the same."""
        if self.side is not None and (old > self.side) is not (new > self.side):
            return False
        return abs(old - new) <= max(self.by, self.share * max(abs(old), abs(new)))

    def same_count(self, old: int, new: int, of: int) -> bool:
        """Check whether two counts are the same, where there are ``of`` of the kind."""
        return abs(old - new) <= max(self.by or 1, math.ceil(self.share * of))


FRAMES = 1  # sampled frames by which an edge of a segment may move
UNMATCHED = 0.005  # share of faces in sampled frames that only one analysis judged
BETWEEN = 0.1  # the same for other frames, which lie around the ends of candidates

SAME = Tolerance()
NEAR = Tolerance(by=1e-3, share=1e-3)
INSTANT = Tolerance(by=1e-6)  # of times, which are fractions stored as the nearest float
PROBABILITY = Tolerance(by=0.01)
LOGIT = Tolerance(by=0.1, share=0.1)
# Of faces with parts hidden. Whether a check confirms its map must be the same in the same arithmetic.
CHECK = Tolerance(how="check")
HIDDEN, FALL = Tolerance(by=0.05), Tolerance(by=0.25, share=0.2)
HEAT = Tolerance(by=0.05, how="heat")  # of the strongest map
STABILITY = Tolerance(by=0.25)  # one view in four
COVERED = Tolerance(by=0.15, side=0.5)  # one of seven faces; most or not most
FACES = Tolerance(share=UNMATCHED, of="faces_found")
COUNT = Tolerance(share=UNMATCHED, how="count")  # of the value itself, or of the items of a list
QUALITY = Tolerance(by=0.01, share=0.05)
PLACE = Tolerance(by=2.0, share=0.05, how="place")  # px, or share of the width
SECONDS = Tolerance(by=0.5, share=0.01)  # of which a sampled frame or window may change sides
LEVELS = Tolerance(by=1.0)  # of a waveform, thousandths of full scale
BOTH = Tolerance(both=True)
PICTURE = Tolerance(both=True, picture=True)  # null where pictures are not kept
SPANS = Tolerance(how="spans")
FINDING = Tolerance(finding=True)
FOUND = Tolerance(by=PROBABILITY.by, finding=True)
FOUND_LOGIT = Tolerance(by=LOGIT.by, share=LOGIT.share, finding=True)
APART = Tolerance(compared=False)
"""Of a field that is compared together with what it belongs to."""
FOLLOWS = Tolerance(compared=False)
"""Of a field that follows from others, which ``detector.verdict`` and ``detector.voice`` check."""
NOT_COMPARED = Tolerance(compared=False)
"""Of a field that docs/evidence.md lists as not compared."""


def stated() -> str:
    """State the tolerance of the findings in a sentence."""
    words = N_(
        "probabilities within %(probability)s, edges of segments within %(frames)s sampled frame, at "
        "most %(unmatched)s of the faces in sampled frames and %(between)s of those in others judged "
        "in only one of the two; verdict and number of segments the same"
    )
    return words % {
        "probability": f"{PROBABILITY.by:g}",
        "frames": FRAMES,
        "unmatched": f"{UNMATCHED:.1%}",
        "between": f"{BETWEEN:.0%}",
    }

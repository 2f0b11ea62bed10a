"""How far two analyses of one exhibit may be apart and still agree; ``docs/evidence.md`` has measurements."""

from __future__ import annotations

from dataclasses import dataclass

from detector.schema.translatable import N_


@dataclass(frozen=True)
class Tolerance:
    """How far two analyses may be apart and still agree."""

    probability: float  # of a face in a frame, of a segment, of the exhibit
    frames: int  # sampled frames that an edge of a segment may be moved by
    unmatched: float  # share of judged faces that only one of the two judged, of sampled frames
    between: float  # the same of other frames, which are those around the ends that sampled frames gave

    def __str__(self) -> str:
        words = N_(
            "probabilities within %(probability)s, edges of segments within %(frames)s sampled frames, at "
            "most %(unmatched)s of the faces judged in sampled frames and %(between)s of those in others "
            "judged in one of both only; verdict and number of segments the same"
        )
        if self.frames == 1:
            words = N_(
                "probabilities within %(probability)s, edges of segments within %(frames)s sampled frame, at "
                "most %(unmatched)s of the faces judged in sampled frames and %(between)s of those in others "
                "judged in one of both only; verdict and number of segments the same"
            )
        return words % {
            "probability": f"{self.probability:g}",
            "frames": self.frames,
            "unmatched": f"{self.unmatched:.1%}",
            "between": f"{self.between:.0%}",
        }


TOLERANCE = Tolerance(probability=0.01, frames=1, unmatched=0.005, between=0.1)

"""What the rules of the verdict are asked of: all that one model said of an exhibit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detector.schema.analysis import Analysis, Coverage, MediaKind, Parameters, Person, Segment


@dataclass(frozen=True)
class JudgedExhibit:
    """Persons and segments of an exhibit, how much of it was judged, and by which parameters."""

    kind: MediaKind
    parameters: Parameters
    coverage: Coverage
    persons: Sequence[Person]
    segments: Sequence[Segment]

    @classmethod
    def of(cls, analysis: Analysis) -> JudgedExhibit:
        """That of a finished analysis."""
        return cls(
            analysis.media.kind, analysis.parameters, analysis.coverage, analysis.persons, analysis.segments
        )

    @property
    def is_photo(self) -> bool:
        """Whether it has no time, so that other rules hold."""
        return self.kind is MediaKind.IMAGE

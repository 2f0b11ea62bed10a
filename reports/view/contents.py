"""The report's sections: their order, numbers and titles, and the addresses of their places."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE = "reference"  # only where there is a comparison
# Key, which is also the id of the section's element, and title; those of a still image come second.
_SECTIONS = (
    ("declarations", "What the file declares", ""),
    ("finding", "Summary of the finding", ""),
    ("exhibit", "Exhibit", ""),
    ("timeline", "Timeline and persons", "The photograph and its faces"),
    ("segments", "Flagged segments", "Flagged faces"),
    ("limits", "What the findings mean", ""),
    ("not-examined", "What was not examined", ""),
    ("annotations", "Reviewers' annotations", ""),
    (REFERENCE, "Comparison with a reference", ""),
    ("method", "Method and parameters", ""),
    ("model", "Model and its measured errors", ""),
    ("reproduction", "Reproduction", ""),
    ("custody", "Custody log", ""),
    ("glossary", "Glossary", ""),
    ("signature", "Integrity and signature", ""),
)


@dataclass(frozen=True)
class Section:
    """One section: ``number`` from 1, 0 for what comes before the report's own; ``key`` its address."""

    key: str
    number: int
    title: str

    @property
    def heading(self) -> str:
        """Number and title, as its heading shows them."""
        return f"{self.number} {self.title}" if self.number else self.title


def contents(still: bool, *, compared: bool = False) -> dict[str, Section]:
    """All sections by key, in order; with that on references where it is ``compared`` with any."""
    shown = [each for each in _SECTIONS if compared or each[0] != REFERENCE]
    return {
        key: Section(key, number, (other if still else "") or title)
        for number, (key, title, other) in enumerate(shown)
    }

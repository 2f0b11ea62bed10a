"""Sections of the report: order, numbers and titles; and the facts that their tables list."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.language.translation import N_, UNTRANSLATED, Quoted

REFERENCE = "reference"  # only where there is a comparison
SECOND_REVIEW = "second-review"  # only where there is one
OTHERS = "others"  # only where several models judged
SOUND = "sound"  # not for photographs
_OF_FACES = ("timeline", "segments", OTHERS, "limits", "model", "reader")  # not for sound without picture
NOT_FLAGGED = N_("Looked at, not flagged")
# Key, which is also the id of the section's element, and title; those of a still image come second.
_SECTIONS = (
    ("declarations", N_("What the file declares"), ""),
    ("finding", N_("Summary of the finding"), ""),
    ("exhibit", N_("Exhibit"), ""),
    ("timeline", N_("Timeline and persons"), N_("The photograph and its faces")),
    ("segments", N_("Flagged segments"), N_("Flagged faces")),
    (SOUND, N_("Voice"), ""),
    (OTHERS, N_("Other models"), ""),
    ("limits", N_("What the findings mean"), ""),
    ("not-examined", N_("What was not examined"), ""),
    ("annotations", N_("Reviewers' annotations"), ""),
    (SECOND_REVIEW, N_("Second review"), ""),
    (REFERENCE, N_("Comparison with a reference"), ""),
    ("method", N_("Method and parameters"), ""),
    ("model", N_("Model and its measured errors"), ""),
    ("reproduction", N_("Reproduction"), ""),
    ("custody", N_("Custody log"), ""),
    ("glossary", N_("Glossary"), ""),
    # `reports.verification.pdf_checks` finds the SHA-256 of enclosed files between the headings of these two.
    ("signature", N_("Integrity and signature"), ""),
    ("reader", N_("Notes for readers"), ""),
)


@dataclass(frozen=True)
class Section:
    """One section; ``number`` is 0 for the one before the report proper, ``key`` is its address."""

    key: str = field(metadata=UNTRANSLATED)
    number: int
    title: str

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number} {self.title}" if self.number else self.title


def contents(
    still: bool,
    *,
    compared: bool = False,
    reviewed: bool = False,
    several: bool = False,
    confirmed: bool = True,
    sound_only: bool = False,
) -> dict[str, Section]:
    """Return all sections by key, in order; some depend on a reference, a second review or other models.

    ``confirmed`` is false if there are segments, but none of them is flagged; ``sound_only`` if the exhibit
    has no picture.
    """
    left_out = {REFERENCE: not compared, SECOND_REVIEW: not reviewed, OTHERS: not several, SOUND: still}
    if sound_only:
        left_out |= dict.fromkeys(_OF_FACES, True)
    shown = [section for section in _SECTIONS if not left_out.get(section[0])]
    titles = {key: (other if still else "") or title for key, title, other in shown}
    if not confirmed:
        titles["segments"] = NOT_FLAGGED
    return {key: Section(key, number, title) for number, (key, title) in enumerate(titles.items())}


@dataclass(frozen=True)
class Fact:
    """A name and its value; ``exact`` values, such as hashes, are set in a fixed-width font.

    Values that the file or a person supplied are :class:`~reports.language.translation.Quoted`, as all exact
    ones are.
    """

    name: str
    value: str
    note: str = ""
    exact: bool = False

    def __post_init__(self) -> None:
        if self.exact:
            object.__setattr__(self, "value", Quoted(self.value))

"""Sections of the report: order, numbers and titles; and the facts that their tables list."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from language.translation import N_, UNTRANSLATED, Quoted
from reports.wording.lengths import SUMMARY, Length

REFERENCE = "reference"  # only where there is a comparison
SECOND_REVIEW = "second-review"  # only where there is one
OTHERS = "others"  # only where several models judged
SOUND = "sound"  # only where voices were examined, and for sound alone
_OF_FACES = ("timeline", "segments", OTHERS, "limits", "model", "reader")  # not for sound without picture
DECLARATIONS = "declarations"  # only where the file declares something
NOT_FLAGGED = N_("Looked at, not flagged")
# Key, which is also the id of the section's element, and title; those of a still image come second.
_SECTIONS = (
    ("finding", N_("Summary of the finding"), ""),
    ("segments", N_("Flagged segments"), N_("Flagged faces")),
    (SOUND, N_("Voice"), ""),
    ("timeline", N_("Timeline and persons"), N_("The photograph and its faces")),
    (OTHERS, N_("Other models"), ""),
    ("limits", N_("What the findings mean"), ""),
    ("not-examined", N_("What was not examined"), ""),
    ("annotations", N_("Reviewers' annotations"), ""),
    (SECOND_REVIEW, N_("Second review"), ""),
    (REFERENCE, N_("Comparison with a reference"), ""),
    (DECLARATIONS, N_("What the file declares"), ""),
    ("exhibit", N_("Exhibit"), ""),
    ("method", N_("Method and parameters"), ""),
    ("model", N_("Model and its measured errors"), ""),
    ("reproduction", N_("Reproduction"), ""),
    ("custody", N_("Custody log"), ""),
    ("glossary", N_("Glossary"), ""),
    # `verification.pdf_checks` finds the SHA-256 of enclosed files between the headings of these two.
    ("signature", N_("Integrity and signature"), ""),
    ("reader", N_("Notes for readers"), ""),
)
_OF_SUMMARY = ("finding", "segments", SOUND, "signature")
"""Sections of a summary report."""


@dataclass(frozen=True)
class Section:
    """One section; ``key`` is its address."""

    key: str = field(metadata=UNTRANSLATED)
    number: int
    title: str

    @property
    def heading(self) -> str:
        """Number and title."""
        return f"{self.number} {self.title}"


def contents(
    still: bool,
    *,
    compared: bool = False,
    reviewed: bool = False,
    several: bool = False,
    declared: bool = False,
    heard: bool = False,
    confirmed: bool = True,
    sound_only: bool = False,
) -> dict[str, Section]:
    """Return the sections of a report by key, in order.

    Some depend on a reference, a second review, other models, declarations or examined sound (``heard``).
    ``confirmed`` is false if there are segments, but none of them is flagged; ``sound_only`` is true if the
    exhibit has no picture.
    """
    left_out = {
        REFERENCE: not compared,
        SECOND_REVIEW: not reviewed,
        OTHERS: not several,
        DECLARATIONS: not declared,
        SOUND: not (heard or sound_only),
    }
    if sound_only:
        left_out |= dict.fromkeys(_OF_FACES, True)
    shown = [section for section in _SECTIONS if not left_out.get(section[0])]
    titles = {key: (other if still else "") or title for key, title, other in shown}
    if not confirmed:
        titles["segments"] = NOT_FLAGGED
    return {key: Section(key, number, title) for number, (key, title) in enumerate(titles.items(), 1)}


def of_length(sections: dict[str, Section], length: Length, *, segments: bool) -> dict[str, Section]:
    """Return those ``sections`` that a report of this length has, numbered anew.

    A summary has the section of ``segments`` only if there are any.
    """
    if length != SUMMARY:
        return sections
    kept = [sections[key] for key in _OF_SUMMARY if key in sections and (segments or key != "segments")]
    return {section.key: replace(section, number=number) for number, section in enumerate(kept, 1)}


@dataclass(frozen=True)
class Fact:
    """A name and its value; ``exact`` values, such as hashes, are set in a fixed-width font.

    Values that the file or a person supplied are :class:`~language.translation.Quoted`, as all exact
    ones are.
    """

    name: str
    value: str
    note: str = ""
    exact: bool = False

    def __post_init__(self) -> None:
        if self.exact:
            object.__setattr__(self, "value", Quoted(self.value))

"""Fields of the case details by name. Must import nothing heavy because command-line parsers use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from detector.schema.formatting import N_


@dataclass(frozen=True)
class CaseField:
    """A field of :class:`reports.inputs.case.CaseDetails`: its label, and its name in a sentence."""

    label: str  # blank where no form asks for it
    in_sentence: str
    stated: bool = True  # an examiner writes it down: a line of forms, printed in reports


FIELDS = {
    "case_number": CaseField(N_("Case number"), N_("case number")),
    "exhibit_number": CaseField(N_("Exhibit number"), N_("exhibit number")),
    "examiner": CaseField(N_("Examiner"), N_("examiner")),
    "organisation": CaseField(N_("Organisation"), N_("organisation")),
    "paper": CaseField(N_("Paper of the PDF"), N_("paper size"), stated=False),
    "time_zone": CaseField("", N_("time zone"), stated=False),
}
"""Every detail of a case, in the order in which they are asked for and printed."""
STATED = {name: field.label for name, field in FIELDS.items() if field.stated}
"""The labels of those that an examiner states."""
ASKED = tuple(name for name, field in FIELDS.items() if field.label)
"""What forms ask for; the time zone is the server's."""
Paper = Literal["A4", "Letter"]
PAPERS: tuple[Paper, ...] = get_args(Paper)
"""Sizes of the PDF's pages, by their names in CSS."""

"""Details of entries of the custody log, as pages and reports name them."""

from __future__ import annotations

from reports.inputs.case import CaseDetails
from reports.text.custody_details import NAMES


def test_every_case_detail_is_among_the_names_that_are_translated() -> None:
    assert {name.replace("_", " ") for name in CaseDetails.model_fields} <= set(NAMES)

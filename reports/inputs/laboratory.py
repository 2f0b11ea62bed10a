"""``laboratory.json``: what the report quotes of the laboratory's own validation."""

from __future__ import annotations

from pydantic import ValidationError

from detector.schema.laboratory.quoted import Laboratory
from reports.errors import ReportError, first_problem
from reports.file_names import LABORATORY


class LaboratoryError(ReportError):
    """A ``laboratory.json`` cannot be quoted; the message says why."""


def parse_laboratory(text: bytes, name: str = LABORATORY) -> Laboratory:
    """The value of a ``laboratory.json``; raises :class:`LaboratoryError` for anything else."""
    try:
        return Laboratory.from_json(text)
    except ValidationError as error:
        raise LaboratoryError(
            f"{name} is no laboratory.json that can be quoted, at {first_problem(error, 'its top level')}. "
            "`python -m detector validate` and `threshold` write one."
        ) from None

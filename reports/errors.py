"""Errors raised while a report is made, all below the root error of Reelproof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.errors import ReelproofError

if TYPE_CHECKING:
    from pydantic import ValidationError


class ReportError(ReelproofError):
    """A report cannot be made from this analysis and this folder."""


class PictureError(ReportError):
    """A picture named by the analysis lies outside its folder or cannot be read."""


class WrongFileError(ReportError):
    """A file is of the wrong kind; another file has to be chosen."""


class ExportError(ReportError):
    """An analysis cannot be exported in the requested format."""


def first_problem(error: ValidationError, top: str) -> str:
    """Format the first validation error of a JSON document; ``top`` names its top level."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))[:80] or top
    return f"{where}: {first['msg']}"

"""Read ``analysis.json`` and ``laboratory.json``, and check that the exhibit is unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from detector.files import hash_file
from detector.schema.analysis import Analysis
from detector.schema.laboratory import Laboratory
from reports.errors import ReportError, first_problem
from reports.file_names import LABORATORY


def read_analysis(path: Path) -> bytes:
    """Read the file at ``path``; raise :class:`ReportError` for a folder."""
    if path.is_dir():
        raise ReportError(f"{path} is a folder. Name the analysis.json in it.")
    return path.read_bytes()


def parse_analysis(text: bytes, path: Path) -> Analysis:
    """Parse the analysis in ``text``, read from ``path``; raise :class:`ReportError` if it is invalid."""
    try:
        return Analysis.from_json(text)
    except ValidationError as error:
        problem = first_problem(error, "the file")
        raise ReportError(f"{path} is not an analysis of Reelproof: {problem}") from None


class LaboratoryError(ReportError):
    """A ``laboratory.json`` cannot be quoted."""


def parse_laboratory(text: bytes, name: str = LABORATORY) -> Laboratory:
    """Parse a ``laboratory.json``; raise :class:`LaboratoryError` if it is invalid."""
    try:
        return Laboratory.from_json(text)
    except ValidationError as error:
        raise LaboratoryError(
            f"{name} is no laboratory.json that can be quoted, at {first_problem(error, 'its top level')}. "
            "`python -m detector validate` and `threshold` write one."
        ) from None


@dataclass(frozen=True)
class ExhibitCheck:
    """Hash and size of the stored file now; blank and 0 if it is missing or cannot be read."""

    sha256: str
    bytes: int
    checked: datetime  # UTC

    def fits(self, sha256: str, size: int) -> bool:
        """Return whether the file is still the one that was handed in."""
        return (self.sha256, self.bytes) == (sha256, size)


def check_exhibit(path: Path) -> ExhibitCheck:
    """Hash the file at ``path`` now."""
    moment = datetime.now(UTC)
    try:
        size, digest = hash_file(path)
    except OSError:
        return ExhibitCheck("", 0, moment)
    return ExhibitCheck(digest, size, moment)

"""Reading an ``analysis.json`` that may come from anywhere."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from detector.schema.analysis import Analysis
from reports.errors import ReportError, first_problem


def read_analysis(path: Path) -> bytes:
    """The bytes of the file at ``path``; raises :class:`ReportError` for a folder, ``OSError``."""
    if path.is_dir():
        raise ReportError(f"{path} is a folder. Name the analysis.json in it.")
    return path.read_bytes()


def parse_analysis(text: bytes, path: Path) -> Analysis:
    """The analysis that ``text``, read from ``path``, holds.

    Raises :class:`ReportError` that names what does not fit.
    """
    try:
        return Analysis.from_json(text)
    except ValidationError as error:
        problem = first_problem(error, "the file")
        raise ReportError(f"{path} is not an analysis of Reelproof: {problem}") from None

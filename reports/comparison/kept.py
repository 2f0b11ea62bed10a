"""Comparisons stored beside an analysis, each in a folder of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from detector.schema.comparison import Comparison
from reports.errors import ReportError, first_problem
from reports.inputs.pictures import COMPARISONS as FOLDER

RESULT = "comparison.json"


class ComparisonFileError(ReportError):
    """A ``comparison.json`` cannot be used in this report."""


@dataclass(frozen=True)
class KeptComparison:
    """One comparison: its value, the exact bytes of its file, and the file's place.

    ``below`` is the path from ``root`` to its folder, with a slash at the end.
    """

    comparison: Comparison
    text: bytes
    root: Path
    below: str

    @property
    def sha256(self) -> str:
        """SHA-256 of ``comparison.json``."""
        return hashlib.sha256(self.text).hexdigest()


def kept_comparisons(root: Path, exhibit_sha256: str) -> tuple[KeptComparison, ...]:
    """Read the comparisons in ``comparisons/`` below ``root``, sorted by folder name.

    Raise :class:`ComparisonFileError` if one cannot be read or is about another exhibit.
    """
    names = sorted(path.parent.name for path in (root / FOLDER).glob(f"*/{RESULT}"))
    return read_comparisons(root, names, exhibit_sha256)


def read_comparisons(root: Path, names: Sequence[str], exhibit_sha256: str) -> tuple[KeptComparison, ...]:
    """Read the named comparisons in ``comparisons/`` below ``root``; raises like :func:`kept_comparisons`."""
    return tuple(_read(root, f"{FOLDER}/{name}/", exhibit_sha256) for name in names)


def _read(root: Path, below: str, exhibit_sha256: str) -> KeptComparison:
    text = (root / below / RESULT).read_bytes()
    comparison = parse_comparison(text, f"{below}{RESULT}")
    if comparison.exhibit.sha256 != exhibit_sha256:
        raise ComparisonFileError(
            f"{below}{RESULT} compares another exhibit, SHA-256 {comparison.exhibit.sha256}. "
            "Take its folder away, or put it beside the analysis of that exhibit."
        )
    return KeptComparison(comparison, text, root, below)


def parse_comparison(text: bytes, name: str) -> Comparison:
    """Parse the ``text`` of the file ``name``; raise :class:`ComparisonFileError` if it is invalid."""
    try:
        return Comparison.from_json(text)
    except ValidationError as error:
        problem = first_problem(error, "the file")
        raise ComparisonFileError(f"{name} is no comparison of Reelproof: {problem}") from None


def files_of(comparison: Comparison) -> tuple[str, ...]:
    """List the files of a comparison relative to its folder: its JSON and its pictures."""
    peaks = [peak for segment in comparison.segments for peak in segment.peaks]
    peaks += [peak for region in comparison.regions for peak in region.peaks]
    if comparison.example is not None:
        peaks.append(comparison.example)
    pictures = [path for peak in peaks for path in (peak.side_by_side, peak.difference, peak.overlay) if path]
    return (RESULT, *dict.fromkeys(pictures))

"""One comparison in a confined process: what the shell's command and the web app do with two files."""

from __future__ import annotations

from pathlib import Path

from detector.comparison.compare import compare
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links
from detector.sandboxed_engine import limits_of_environment
from detector.schema.comparison import Comparison, ComparisonParameters

RESULT = "comparison.json"


def compare_confined(
    exhibit: Path,
    reference: Path,
    folder: Path,
    *,
    names: tuple[str, str] | None = None,
    parameters: ComparisonParameters | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """:func:`~detector.comparison.compare.compare` in a confined process.

    Its files come to lie in ``folder``, an empty one. Raises what that raises, and
    :mod:`detector.sandbox`'s errors for a file that takes too much or breaks what reads it.
    """
    paths = exhibit.absolute(), reference.absolute()
    folder = folder.absolute()
    given = (parameters or ComparisonParameters()).model_dump_json()
    with Sandbox(
        _compared,
        *paths,
        names or (paths[0].name, paths[1].name),
        given,
        folder,
        limits=limits or limits_of_environment(),
        places=AllowedPaths(readable=paths, writable=(folder,)),
        modules=("detector.comparison.compare",),
    ) as confined:
        confined.result(progress)
    refuse_links(folder)
    return Comparison.from_json((folder / RESULT).read_bytes())


def _compared(
    exhibit: Path, reference: Path, names: tuple[str, str], parameters: str, folder: Path, report: Progress
) -> None:
    comparison = compare(
        exhibit,
        reference,
        names=names,
        parameters=ComparisonParameters.model_validate_json(parameters),
        images=folder,
        progress=report,
    )
    (folder / RESULT).write_text(comparison.to_json(), encoding="utf-8")

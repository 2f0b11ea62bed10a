"""``compare``: an exhibit against a reference."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.progress import print_line, progress_bar
from detector.errors import MediaError, ParameterError
from detector.media.exhibit.file import refuse_early
from detector.process.standard_files import print_json
from detector.result_folder import put, refuse_occupied, temporary_beside

if TYPE_CHECKING:
    from detector.schema.comparison import Comparison

_RESULT, _PICTURES = "comparison.json", "pictures"


def add_commands(commands: Any) -> None:
    """Add it to the commands of ``python -m detector``."""
    compare = commands.add_parser(
        "compare", help="compare a video or photo with another one said to be its original"
    )
    compare.add_argument("exhibit", type=Path, metavar="EXHIBIT")
    compare.add_argument("reference", type=Path, metavar="REFERENCE")
    compare.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for comparison.json and pictures"
    )
    compare.add_argument("--format", choices=["text", "json"], default="text", help="what to print")
    compare.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    refuse_occupied(options.out, _RESULT, "earlier comparison")
    for path in (options.exhibit, options.reference):
        try:
            refuse_early(path)
        except MediaError as error:
            raise ParameterError(f"{path}: {error}") from None
    from detector.comparison.sandboxed import compare_confined

    with temporary_beside(options.out) as beside, contextlib.ExitStack() as stack:
        made = Path(beside, "result").absolute()
        made.mkdir()
        show = stack.enter_context(progress_bar())
        try:
            comparison = compare_confined(options.exhibit, options.reference, made, progress=show)
        except MediaError as error:  # it names the file itself
            raise ParameterError(str(error)) from None
        put(made, options.out, pictures=_PICTURES)
    if options.format == "json":
        print_json(comparison.to_json())
    else:
        _print_words(comparison, options.out)
    return 0


def _print_words(comparison: Comparison, out: Path) -> None:
    from detector.schema.formatting import probability, timecode

    print_line(f"{comparison.exhibit.file} against {comparison.reference.file}")
    print_line(comparison.statement)
    for piece in comparison.time_map:
        print_line(
            f"  {timecode(piece.exhibit.start)} to {timecode(piece.exhibit.end)}  shows "
            f"{timecode(piece.reference.start)} to {timecode(piece.reference.end)}  "
            f"± {piece.uncertainty:.3f} s  speed {piece.speed:.3f}"
        )
    for gap in comparison.gaps:
        print_line(f"  {gap.file} {timecode(gap.start)} to {timecode(gap.end)} {gap.reason}")
    for segment in comparison.segments:
        print_line(
            f"  {segment.id}  person {segment.person}  {timecode(segment.start)} to {timecode(segment.end)}"
            f"  confidence {probability(segment.confidence)}"
        )
    for region in comparison.regions:
        print_line(f"  {region.id}  {region.statement}")
    for words in comparison.not_compared:
        print_line(words)
    print_line(comparison.limits)
    print_line(f"Comparison: {out / _RESULT}")

"""``annotate``: the findings drawn into a copy of the exhibit."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from detector.cli.progress import progress_bar
from detector.errors import ParameterError
from detector.schema.formatting import with_noun


def add_commands(commands: Any) -> None:
    """Add it to the commands of ``python -m detector``."""
    annotate = commands.add_parser("annotate", help="draw the findings into a copy of the exhibit")
    annotate.add_argument("file", type=Path, metavar="EXHIBIT", help="the very file that was analysed")
    annotate.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="heatmaps are read from its folder"
    )
    annotate.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="video to write")
    annotate.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from detector.sandboxed_engine import annotate_confined
    from reports.exports.overlays import kept_maps
    from reports.inputs.analysis_file import parse_analysis, read_analysis

    out: Path = options.out
    if out.suffix.lower() != ".mp4" or out.is_dir():
        raise ParameterError(f"{out}: the video is an MP4 file. Give a name that ends in .mp4.")
    if not out.parent.is_dir():
        raise ParameterError(f"{out}: there is no such folder. Make it first.")
    analysis = parse_analysis(read_analysis(options.analysis), options.analysis)
    maps = kept_maps(analysis, options.analysis.parent)
    with progress_bar() as show:
        made = annotate_confined(options.file, analysis, out, maps, show)
    frames = with_noun(made["frames"], "frame")
    print(f"{out}: {frames}, {made['heatmaps']} with a heatmap. Sound: {made['sound']}.")
    if made["heatmaps_missing"]:
        print(f"Heatmaps that were not kept or cannot be read: {made['heatmaps_missing']}.")
    return 0

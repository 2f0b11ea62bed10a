"""``score``: one line a file, of many files or of crops of faces."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from detector.cli.engine_options import add_engine_options, add_other_models, parameters_from
from detector.schema.joint_rule import JointRule


def add_commands(commands: Any) -> None:
    """Add it to the commands of ``python -m detector``."""
    score = commands.add_parser("score", help="print one line a file: verdict and probability")
    score.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="video, photo, zip of photos, or folder of these"
    )
    score.add_argument("--crops", action="store_true", help="each image is itself a crop of one face")
    # There is one format; scripts of earlier versions name it.
    score.add_argument("--format", choices=["jsonl"], help=argparse.SUPPRESS)
    score.add_argument("--workers", type=int, metavar="N", help="files at a time (default: one a core)")
    score.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="keep the lines here too; files that stand in it are not repeated",
    )
    add_engine_options(score)
    add_other_models(score)
    score.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> int:
    from detector.batch.other_model_names import OtherModelNames
    from detector.batch.run import BatchRun

    many = BatchRun(
        options.files,
        options.model,
        parameters_from(options),
        options.crops,
        options.workers,
        options.out,
        OtherModelNames(options.also, JointRule(options.joint)),
    )
    failed = False
    for line in many.lines():
        failed = failed or "error" in line
        print(json.dumps(line), flush=True)
    for words in many.remarks():
        print(f"reelproof: {words}", file=sys.stderr)
    return 1 if failed else 0

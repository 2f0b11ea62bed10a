"""What comes with Reelproof, written out: ``sample``, ``export`` of a model, ``schema``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from detector.errors import ParameterError
from detector.files import atomic_path, replaced


def add_commands(commands: Any) -> None:
    """Add them to the commands of ``python -m detector``."""
    sample = commands.add_parser("sample", help="make the demonstration clip")
    sample.add_argument("file", type=Path, metavar="FILE")
    sample.set_defaults(run=_sample)

    export = commands.add_parser("export", help="write a model for other programs and for phones")
    export.add_argument("model", nargs="?", metavar="MODEL", help="a model in models/, or the path of one")
    export.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    export.add_argument("--format", choices=["onnx", "openvino"], default="onnx")
    export.set_defaults(run=_export)

    schema = commands.add_parser("schema", help="print the JSON schema of a result")
    schema.add_argument(
        "what", nargs="?", choices=["analysis", "comparison", "validation"], default="analysis"
    )
    schema.set_defaults(run=_schema)


def _sample(options: argparse.Namespace) -> int:
    from detector.demo_clip import make_sample

    if not options.file.parent.is_dir():
        raise ParameterError(f"{options.file}: there is no such folder.")
    if options.file.exists() and replaced(options.file) is not None:
        raise ParameterError(f"{options.file} is there already. Name another file, or delete it first.")
    with atomic_path(options.file) as unfinished:
        make_sample(unfinished)
    return 0


def _export(options: argparse.Namespace) -> int:
    from detector.model_export import export

    facts = export(options.model, options.to, options.format)
    for part in facts["parts"]:
        for file in part["files"]:
            print(f"{options.to / file['file']}: {file['bytes']:,} bytes, SHA-256 {file['sha256']}")
        print(f"  on {facts['check']['faces']} faces within {part['difference']:.2g} of torch")
    return 0


def _schema(options: argparse.Namespace) -> int:
    from detector.schema.analysis import schema_text
    from detector.schema.comparison import comparison_schema_text
    from detector.schema.laboratory.validation import validation_schema_text

    texts = {
        "analysis": schema_text,
        "comparison": comparison_schema_text,
        "validation": validation_schema_text,
    }
    sys.stdout.write(texts[options.what]())
    return 0

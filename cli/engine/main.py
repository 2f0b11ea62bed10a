"""Parse the command line and run a command; slow imports are left to the command that needs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.commands import AddCommand, Program, adder
from cli.engine import analyze, batch_and_live, training, validate
from detector.errors import MediaError, ParameterError, ReelproofError
from detector.files import atomic_path, resolve_target
from detector.process.console import describe_os_error, prepare_standard_files
from detector.process.resources import stay_forkable
from detector.process.signals import end_with_named_parent, exit_status, sigterm_interrupts
from detector.schema.formatting import printable


def add_export_commands(add: AddCommand) -> None:
    sample = add("sample")
    sample.add_argument("file", type=Path, metavar="FILE")
    sample.set_defaults(run=_sample)

    export = add("export-model")
    export.add_argument("model", nargs="?", metavar="MODEL", help="a model in models/, or the path of one")
    export.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    export.add_argument("--format", choices=["onnx", "openvino"], default="onnx")
    export.set_defaults(run=_export)

    schema = add("schema")
    schema.add_argument(
        "what", nargs="?", choices=["analysis", "comparison", "validation"], default="analysis"
    )
    schema.set_defaults(run=_schema)


def _sample(options: argparse.Namespace) -> int:
    from detector.demo_clip import make_sample

    if not options.file.parent.is_dir():
        raise ParameterError(f"{options.file}: the folder does not exist.")
    if options.file.exists() and resolve_target(options.file) is not None:
        raise ParameterError(f"{options.file} already exists. Choose another name, or delete it first.")
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
    from detector.schema.analysis import Analysis
    from detector.schema.comparison import Comparison
    from detector.schema.laboratory import Validation

    texts = {
        "analysis": Analysis.schema_text,
        "comparison": Comparison.schema_text,
        "validation": Validation.schema_text,
    }
    sys.stdout.write(texts[options.what]())
    return 0


def main(arguments: Sequence[str] | None = None, program: str = Program.ENGINE) -> int:
    """Run one command and return its exit status: 0 success, 1 some files not scored, 2 error.

    130 after Ctrl-C, 143 after SIGTERM.
    """
    end_with_named_parent()
    prepare_standard_files()
    options = argument_parser(program).parse_args(arguments)
    stay_forkable()  # confined and worker processes are forked, and inherit imported modules
    try:
        with sigterm_interrupts():
            if getattr(options, "backend", None):
                from detector.backends import selection as backends

                # The environment also reaches confined and worker processes.
                os.environ[backends.BACKEND_VARIABLE] = backends.require_backend(options.backend)
            return int(options.run(options))
    except MediaError as error:
        arguments_named = (getattr(options, name, None) for name in ("file", "source", "data"))
        prefix = next((f"{argument}: " for argument in arguments_named if argument), "")
        _refuse(f"{prefix}{error}")
    except ReelproofError as error:
        _refuse(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "training":
            raise
        _refuse(
            "this command needs the package training, which is not part of an installation: run it in a "
            "checkout of the repository, with the dependencies of reelproof[training]."
        )
    except OSError as error:
        _refuse(describe_os_error(error))
    except KeyboardInterrupt as stopped:
        print("reelproof: stopped", file=sys.stderr)
        return exit_status(stopped)
    return 2


def _refuse(message: str) -> None:
    print(printable(" ".join(f"reelproof: {message}".split())), file=sys.stderr)


def argument_parser(program: str = Program.ENGINE) -> argparse.ArgumentParser:
    """Build the parser of all commands of the engine."""
    parser = argparse.ArgumentParser(prog=program, description="Find manipulated faces in videos and photos.")
    add = adder(parser)
    analyze.add_analyze_command(add)
    batch_and_live.add_score_command(add)
    analyze.add_compare_command(add)
    batch_and_live.add_watch_and_live_commands(add)
    analyze.add_annotate_command(add)
    add_export_commands(add)
    setup_check = add("setup-check")
    setup_check.set_defaults(run=_setup_check)
    training.add_training_commands(add)
    validate.add_validation_commands(add)
    return parser


def _setup_check(options: argparse.Namespace) -> int:
    from cli.engine.setup_check import check_setup, table

    findings = check_setup()
    print(table(findings))
    return int(any(finding.state == "missing" for finding in findings))

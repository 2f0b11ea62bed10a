"""The engine from a shell. What is slow to import is imported by the command that needs it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from detector.cli import watch_and_live
from detector.errors import MediaError, ParameterError, ReelproofError
from reports.cli.case_options import add_case_options, given_case

if TYPE_CHECKING:
    from detector.schema.analysis import Analysis, Parameters
    from reports.inputs.case import CaseDetails


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0 done, 1 some files not scored, 2 an error."""
    options = _parser().parse_args(arguments)
    try:
        if getattr(options, "backend", None):
            from detector.backends import selection as backends

            # By the environment it also reaches confined processes and those that share the work.
            os.environ[backends.SETTING] = backends.require(options.backend)
        return int(options.run(options))
    except MediaError as error:
        file = getattr(options, "file", None) or options.source
        print(f"reelproof: {file}: {error}", file=sys.stderr)
    except ReelproofError as error:
        print(f"reelproof: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        print(f"reelproof: {where}{error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("reelproof: stopped", file=sys.stderr)
        return 130
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detector", description="Find manipulated faces in videos and photos."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    analyze = commands.add_parser("analyze", help="analyse one file and write its report")
    analyze.add_argument("file", type=Path, metavar="FILE")
    analyze.add_argument("--out", type=Path, metavar="DIR", help="folder for analysis, report and overlays")
    analyze.add_argument(
        "--format",
        choices=["text", "json", "summary"],
        default="text",
        help="what to print: words, the whole analysis, or the compact form older tools use",
    )
    _add_engine_options(analyze)
    add_case_options(analyze)
    analyze.set_defaults(run=_analyze)

    score = commands.add_parser("score", help="print one line a file: verdict and probability")
    score.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="video, photo, zip of photos, or folder of these"
    )
    score.add_argument("--crops", action="store_true", help="each image is itself a crop of one face")
    score.add_argument("--format", choices=["jsonl"], default="jsonl")
    score.add_argument("--workers", type=int, metavar="N", help="files at a time (default: one a core)")
    score.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="keep the lines here too; files that stand in it are not repeated",
    )
    _add_engine_options(score)
    score.set_defaults(run=_score)

    watch_and_live.add_commands(commands, _add_engine_options, _parameters)

    sample = commands.add_parser("sample", help="make the demonstration clip")
    sample.add_argument("file", type=Path, metavar="FILE")
    sample.set_defaults(run=_sample)

    annotate = commands.add_parser("annotate", help="draw the findings into a copy of the exhibit")
    annotate.add_argument("file", type=Path, metavar="EXHIBIT", help="the very file that was analysed")
    annotate.add_argument(
        "analysis", type=Path, metavar="ANALYSIS_JSON", help="heatmaps are read from its folder"
    )
    annotate.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="video to write")
    annotate.set_defaults(run=_annotate)

    export = commands.add_parser("export", help="write a model for other programs and for phones")
    export.add_argument("model", nargs="?", metavar="MODEL", help="a model in models/, or the path of one")
    export.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    export.add_argument("--format", choices=["onnx", "openvino"], default="onnx")
    export.set_defaults(run=_export)

    schema = commands.add_parser("schema", help="print the JSON schema of analysis.json")
    schema.set_defaults(run=_schema)

    setup_check = commands.add_parser("setup-check", help="say what is missing on this machine")
    setup_check.set_defaults(run=_setup_check)

    train = commands.add_parser("train", help="train a recipe and publish the model")
    train.add_argument(
        "configs",
        type=Path,
        nargs="*",
        metavar="CONFIG",
        help="TOML recipe (default: the shipped); several learn side by side from the same examples",
    )
    train.add_argument("--data", type=Path, required=True, metavar="DIR")
    train.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="checkpoints and caches")
    train.add_argument(
        "--failures", type=Path, metavar="FILE", help="an evaluation's failures.json, to fine-tune on"
    )
    train.add_argument(
        "--checkpoint-only", action="store_true", help="publish nothing: another recipe goes on from it"
    )
    train.set_defaults(run=_train)

    calibrate = commands.add_parser("calibrate", help="fit how sure segments and exhibits are")
    calibrate.add_argument("model", metavar="MODEL", help="a model in models/, or the path of one")
    calibrate.add_argument("data", type=Path, metavar="DATA", help="research folder")
    calibrate.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="where faces are kept"
    )
    calibrate.set_defaults(run=_calibrate)

    evaluate = commands.add_parser("evaluate", help="measure a model: crops, clips, segments, heatmaps")
    evaluate.add_argument("model", metavar="MODEL", help="a model in models/, or the path of one")
    evaluate.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="research folder, folder with real and fake in it, or CSV path,label[,group]",
    )
    evaluate.add_argument(
        "--out", type=Path, default=Path("out/evaluation"), metavar="DIR", help="figures, page, failures.json"
    )
    evaluate.add_argument("--crops", action="store_true", help="each picture is itself a crop of one face")
    evaluate.add_argument("--quick", action="store_true", help="leave out distortions and heatmaps")
    evaluate.add_argument(
        "--update-card", action="store_true", help="write the figures into the model's card"
    )
    evaluate.set_defaults(run=_evaluate)

    leaderboard = commands.add_parser("leaderboard", help="measure every model alike: models/LEADERBOARD.md")
    leaderboard.add_argument("models", nargs="*", metavar="MODEL", help="names or paths (default: models/)")
    leaderboard.add_argument("--data", type=Path, required=True, metavar="DIR", help="research folder")
    leaderboard.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="evaluations")
    leaderboard.set_defaults(run=_leaderboard)
    return parser


def _add_engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME|FILE", help="a model in models/, or the path of one")
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help="what runs the network: openvino, onnxruntime, torch (default: the fastest present), or "
        "openvino-bf16, which is faster and rounds scores",
    )
    parser.add_argument("--sample-rate", type=float, metavar="N", help="sampled frames a second (default 8)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the analysis, as the report's list names it; may be given again",
    )


def _parameters(options: argparse.Namespace) -> Parameters:
    from pydantic import ValidationError

    from detector.schema.analysis import Parameters

    given: dict[str, object] = {} if options.sample_rate is None else {"sample_rate": options.sample_rate}
    for setting in options.set:
        name, equals, value = setting.partition("=")
        if not equals or name not in Parameters.model_fields:
            raise ParameterError(
                f"--set {setting}: write NAME=VALUE. Names are {', '.join(Parameters.model_fields)}."
            )
        given[name] = value
    try:
        return Parameters.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        option = (
            "--sample-rate" if name == "sample_rate" and options.sample_rate is not None else f"--set {name}"
        )
        raise ParameterError(f"{option}: {first['msg']}.") from None


def _analyze(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    parameters = _parameters(options)
    case = given_case(options)
    if options.out:
        _refuse_others(options.out)
    elif case.model_fields_set:
        raise ParameterError("Case details are printed in the report. Say where to write it: --out DIR.")
    from detector.sandboxed_engine import analyze_confined

    with contextlib.ExitStack() as stack:
        # The result is made beside its place: what fails leaves an earlier result as it was.
        beside = _beside(options.out) if options.out else tempfile.TemporaryDirectory()
        made = Path(stack.enter_context(beside), "result").absolute()
        made.mkdir()
        # The bar goes to standard error and only to a terminal: what is printed stays readable by programs.
        bar = stack.enter_context(
            tqdm(total=1.0, bar_format="{desc:28}{percentage:3.0f} % |{bar}| {elapsed}", disable=None)
        )

        def show(stage: str, fraction: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.update(max(0.0, fraction - bar.n))

        analysis = analyze_confined(
            options.file,
            made,
            parameters=parameters,
            model=options.model,
            write=partial(_write, case=case, exhibit=options.file.absolute()) if options.out else None,
            progress=show,
        )
        if options.out:
            _put(made, options.out)
    if options.format == "json":
        sys.stdout.write(analysis.to_json())
    elif options.format == "summary":
        print(json.dumps(summary(analysis), ensure_ascii=False))
    else:
        _print_words(analysis, options.out)
    return 0


def _write(analysis: Analysis, folder: Path, *, case: CaseDetails, exhibit: Path) -> None:
    from reports import write_report
    from reports.inputs.exhibit_check import check_exhibit

    write_report(analysis, folder, case, check=check_exhibit(exhibit))


def _refuse_others(folder: Path) -> None:
    """A result goes into an empty folder, or takes the place of an earlier one."""
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file. Name a folder.")
    if folder.is_dir() and os.listdir(folder) and not (folder / "manifest.json").is_file():
        raise ParameterError(f"{folder} is not empty and holds no earlier result. Name another folder.")


def _beside(folder: Path) -> tempfile.TemporaryDirectory[str]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent)


def _put(made: Path, folder: Path) -> None:
    """Move a finished result into ``folder``; only the parts of an earlier one are replaced."""
    folder.mkdir(exist_ok=True)
    shutil.rmtree(folder / "overlays", ignore_errors=True)
    (folder / "manifest.sig").unlink(missing_ok=True)  # it signs the earlier one
    for part in made.iterdir():
        part.replace(folder / part.name)


def _print_words(analysis: Analysis, out: Path | None) -> None:
    from detector.schema.formatting import timecode

    print(f"{analysis.media.file}: {analysis.verdict}")
    print(analysis.reason)
    for segment in analysis.segments:
        print(
            f"  {segment.id}  person {segment.person}  {timecode(segment.start)} to {timecode(segment.end)}"
            f"  probability {segment.confidence:.2f}"
        )
    if out:
        print(f"Report: {out / 'report.pdf'}")


def summary(analysis: Analysis) -> dict[str, object]:
    """The compact form older tools use. ``video_is_fake`` is null when the analysis is inconclusive."""
    from detector.schema.analysis import Verdict

    def clock(seconds: float) -> str:
        return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"

    judged = analysis.verdict is not Verdict.INCONCLUSIVE
    return {
        "input_type": str(analysis.media.kind),
        "video_is_fake": analysis.verdict is Verdict.MANIPULATED if judged else None,
        "overall_confidence": analysis.probability,
        "manipulated_segments": [
            {"start_time": clock(s.start), "end_time": clock(s.end), "confidence": s.confidence}
            for s in analysis.segments
        ],
    }


def _score(options: argparse.Namespace) -> int:
    from detector.batch.run import BatchRun

    many = BatchRun(
        options.files, options.model, _parameters(options), options.crops, options.workers, options.out
    )
    failed = False
    for line in many.lines():
        failed = failed or "error" in line
        print(json.dumps(line), flush=True)
    for words in many.remarks():
        print(f"reelproof: {words}", file=sys.stderr)
    return 1 if failed else 0


def _sample(options: argparse.Namespace) -> int:
    from detector.demo_clip import make_sample

    if not options.file.parent.is_dir():
        raise ParameterError(f"{options.file}: there is no such folder.")
    make_sample(options.file)
    return 0


def _annotate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from detector.annotated_video import annotate
    from reports.exports.overlays import kept_maps
    from reports.inputs.analysis_file import parse_analysis

    out: Path = options.out
    if out.suffix.lower() != ".mp4" or out.is_dir():
        raise ParameterError(f"{out}: the video is an MP4 file. Give a name that ends in .mp4.")
    if not out.parent.is_dir():
        raise ParameterError(f"{out}: there is no such folder. Make it first.")
    analysis = parse_analysis(options.analysis.read_bytes(), options.analysis)
    maps = kept_maps(analysis, options.analysis.parent)
    with tqdm(total=1.0, bar_format="drawing {percentage:3.0f} % |{bar}| {elapsed}", disable=None) as bar:
        made = annotate(options.file, analysis, out, maps, lambda done: bar.update(max(0.0, done - bar.n)))
    print(f"{out}: {made.frames:,} frames, {made.heatmaps} with a heatmap. Sound: {made.sound}.")
    if made.heatmaps_missing:
        print(f"Heatmaps that were not kept or cannot be read: {made.heatmaps_missing}.")
    return 0


def _export(options: argparse.Namespace) -> int:
    from detector.export import export

    facts = export(options.model, options.to, options.format)
    for part in facts["parts"]:
        for file in part["files"]:
            print(f"{options.to / file['file']}: {file['bytes']:,} bytes, SHA-256 {file['sha256']}")
        print(f"  on {facts['check']['faces']} faces within {part['difference']:.2g} of torch")
    return 0


def _schema(options: argparse.Namespace) -> int:
    from detector.schema.analysis import schema_text

    sys.stdout.write(schema_text())
    return 0


def _setup_check(options: argparse.Namespace) -> int:
    from detector.cli.setup_check import check_setup, table

    findings = check_setup()
    print(table(findings))
    return int(any(finding.state == "missing" for finding in findings))


def _train(options: argparse.Namespace) -> int:
    from detector.training.config import SHIPPED, read_config
    from detector.training.publish.publish import publish
    from detector.training.train import train, train_together

    configs = [read_config(path) for path in options.configs or [SHIPPED]]
    if len(configs) == 1:
        checkpoints = [train(configs[0], options.data, options.out, options.failures)]
    elif options.failures:
        raise ParameterError("--failures goes with one recipe, not with several.")
    else:
        checkpoints = train_together(configs, options.data, options.out)
    for config, checkpoint in zip(configs, checkpoints, strict=True):
        if options.checkpoint_only:
            print(checkpoint)
            continue
        name, temperature = config.name, publish(config, checkpoint, options.data).temperature
        print(f"models/{name}: temperature {temperature}. Now measure it: make evaluate MODEL={name}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from detector.training.evaluation.calibrate import calibrate

    for name, value in calibrate(options.model, options.data, options.out).items():
        print(f"{name:55} {value:.4f}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from detector.training.evaluation.evaluate import evaluate, printed

    def report(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    measured = evaluate(
        options.model,
        options.data,
        options.out,
        update_card=options.update_card,
        quick=options.quick,
        crops=options.crops,
        report=report,
    )
    print(printed(measured))
    print(f"Page: {options.out / 'index.html'}")
    return 0


def _leaderboard(options: argparse.Namespace) -> int:
    from detector.training.evaluation.leaderboard import leaderboard

    path = leaderboard(
        options.models, options.data, options.out, lambda what: print(what, file=sys.stderr, flush=True)
    )
    print(path)
    return 0

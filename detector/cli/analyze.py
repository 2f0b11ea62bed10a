"""``analyze``: one file and its report."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detector.cli.engine_options import add_engine_options, add_other_models, parameters_from
from detector.cli.progress import print_line, progress_bar
from detector.errors import ParameterError
from detector.media.exhibit.file import refuse_early
from detector.process.standard_files import print_json
from detector.result_folder import put, refuse_occupied, temporary_beside
from detector.schema.joint_rule import JointRule, refuse_without_others
from reports.cli.case_options import add_case_options, given_case

if TYPE_CHECKING:
    from detector.schema.analysis import Analysis
    from reports.inputs.case import CaseDetails

# Of the folder of a result: FOLDER of reports/inputs/comparisons.py, which is slow to import.
_COMPARISONS = "comparisons"


def add_commands(commands: Any) -> None:
    """Add it to the commands of ``python -m detector``."""
    analyze = commands.add_parser("analyze", help="analyse one file and write its report")
    analyze.add_argument("file", type=Path, metavar="FILE")
    analyze.add_argument("--out", type=Path, metavar="DIR", help="folder for analysis, report and overlays")
    analyze.add_argument(
        "--format",
        choices=["text", "json", "summary"],
        default="text",
        help="what to print: words, the whole analysis, or the compact form older tools use",
    )
    analyze.add_argument(
        "--laboratory", type=Path, metavar="FILE", help="a laboratory.json for the report to quote"
    )
    add_engine_options(analyze)
    add_other_models(analyze)
    add_case_options(analyze)
    analyze.set_defaults(run=_analyze)


def _analyze(options: argparse.Namespace) -> int:
    parameters = parameters_from(options)
    refuse_without_others(JointRule(options.joint), options.also)
    case = given_case(options)
    if options.out:
        refuse_occupied(options.out, "manifest.json", "earlier result")
    elif case.model_fields_set:
        raise ParameterError("Case details are printed in the report. Say where to write it: --out DIR.")
    write = partial(
        _write,
        case=case,
        exhibit=options.file.absolute(),
        laboratory=_laboratory(options),
        language_code=options.language,
    )
    refuse_early(options.file)
    from detector.sandboxed_engine import analyze_confined

    with contextlib.ExitStack() as stack:
        beside = temporary_beside(options.out) if options.out else tempfile.TemporaryDirectory()
        made = Path(stack.enter_context(beside), "result").absolute()
        made.mkdir()
        if options.out:
            _copy_comparisons(options.out, made, options.file)
        show = stack.enter_context(progress_bar())
        analysis = analyze_confined(
            options.file,
            made,
            parameters=parameters,
            model=options.model,
            write=write if options.out else None,
            get_ready=import_report if options.out else None,
            progress=show,
            also=options.also,
            joint=JointRule(options.joint),
        )
        if options.out:
            shutil.rmtree(made / _COMPARISONS, ignore_errors=True)  # the same that are there still
            put(made, options.out, pictures="overlays", earlier=_earlier(options.out))
    _print(analysis, options.format, options.out)
    return 0


def _print(analysis: Analysis, form: str, out: Path | None) -> None:
    if form == "json":
        print_json(analysis.to_json())
    elif form == "summary":
        print(json.dumps(older_form(analysis)))
    else:
        _print_words(analysis, out)


def _copy_comparisons(earlier: Path, made: Path, exhibit: Path) -> None:
    """Copy comparisons kept beside an earlier result to ``made``: the new report and manifest have them too.

    Raises :class:`~reports.inputs.comparisons.ComparisonFileError` for one of another exhibit.
    """
    if not (earlier / _COMPARISONS).is_dir():
        return
    from detector.files import hashed
    from reports.inputs.comparisons import kept_comparisons

    kept_comparisons(earlier, hashed(exhibit)[1])
    shutil.copytree(earlier / _COMPARISONS, made / _COMPARISONS)


def _earlier(folder: Path) -> list[str]:
    """Files of an earlier result there, and its signature; comparisons with the exhibit stay."""
    from reports.bundle.manifest import listed_in
    from reports.file_names import MANIFEST_SIGNATURE

    return [
        MANIFEST_SIGNATURE,
        *(path for path in listed_in(folder) if not path.startswith(f"{_COMPARISONS}/")),
    ]


def _laboratory(options: argparse.Namespace) -> bytes | None:
    """The text of the laboratory.json named; what cannot be quoted is told before the analysis."""
    if not options.laboratory:
        return None
    from reports.inputs.laboratory import parse_laboratory

    text: bytes = options.laboratory.read_bytes()
    parse_laboratory(text, str(options.laboratory))
    return text


def import_report() -> None:
    """Import what renders a report and compile its templates, which takes as long as a short clip."""
    from reports import write_report  # noqa: F401
    from reports.render.html import compile_templates

    compile_templates()


def _write(
    analysis: Analysis,
    folder: Path,
    *,
    case: CaseDetails,
    exhibit: Path,
    laboratory: bytes | None,
    language_code: str,
) -> None:
    from reports import write_report
    from reports.inputs.exhibit_check import check_exhibit

    write_report(
        analysis,
        folder,
        case,
        check=check_exhibit(exhibit),
        laboratory=laboratory,
        language_code=language_code,
    )


def _print_words(analysis: Analysis, out: Path | None) -> None:
    from detector.schema.formatting import not_rounded_up_to

    with not_rounded_up_to(*analysis.parameters.thresholds):
        _print_findings(analysis)
    if out:
        print_line(f"Report: {out / 'report.pdf'}")


def _print_findings(analysis: Analysis) -> None:
    from detector.schema.declarations import statements
    from detector.schema.formatting import probability, timecode
    from detector.verdict.persons.flagged import is_flagged

    print_line(f"{analysis.media.file}: {analysis.verdict}")
    print_line(analysis.reason)
    for declaration in statements(analysis.declarations):
        print_line(f"The file declares, which is no part of the verdict: {declaration.short}")
    for segment in analysis.segments:
        but = "" if is_flagged(analysis.persons, segment) else ", not flagged"
        print_line(
            f"  {segment.id}  person {segment.person}  {timecode(segment.start)} to {timecode(segment.end)}"
            f"  probability {probability(segment.confidence)}{but}"
        )
    for other in analysis.others:
        figure = "" if other.probability is None else f", probability {probability(other.probability)}"
        print_line(f"{other.model.title}: {other.verdict}{figure}")
    if analysis.joint:
        print_line(f"Together: {analysis.joint.verdict}. {analysis.joint.reason}")


def older_form(analysis: Analysis) -> dict[str, object]:
    """The compact form that older tools use (``--format summary``), not :mod:`detector.schema.summary`.

    ``video_is_fake`` is null when the analysis is inconclusive.
    """
    from detector.schema.analysis import Verdict
    from detector.verdict.persons.flagged import flagged_segments

    def clock(seconds: float) -> str:
        return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"

    fake = {Verdict.MANIPULATED: True, Verdict.NOT_FOUND: False, Verdict.INCONCLUSIVE: None}
    return {
        "input_type": str(analysis.media.kind),
        "video_is_fake": fake[analysis.verdict],
        "overall_confidence": analysis.probability,
        "manipulated_segments": [
            {"start_time": clock(s.start), "end_time": clock(s.end), "confidence": s.confidence}
            for s in flagged_segments(analysis.persons, analysis.segments)
        ],
    }

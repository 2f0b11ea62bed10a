"""The commands for one file: ``analyze``, ``annotate`` and ``compare``."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.case_options import add_case_options, given_case
from cli.commands import AddCommand
from cli.common import (
    add_engine_options,
    add_other_models,
    parameters_from,
    print_line,
    progress_bar,
    refuse_occupied_folder,
    replace_folder,
    temporary_folder_beside,
)
from detector.errors import MediaError, ParameterError
from detector.media.acceptance import refuse_by_first_bytes
from detector.process.console import print_json
from detector.schema.formatting import count_noun
from detector.schema.joint import JointRule, refuse_without_others

if TYPE_CHECKING:
    from detector.schema.analysis import Analysis
    from detector.schema.comparison import Comparison
    from reports.inputs.case import CaseDetails
    from reports.wording.lengths import Length


# Of the folder of a result: FOLDER of reports/comparison/kept.py, which is slow to import.
_COMPARISONS = "comparisons"


def add_analyze_command(add: AddCommand) -> None:
    analyze = add("analyze")
    analyze.add_argument("file", type=Path, metavar="FILE")
    analyze.add_argument("--out", type=Path, metavar="DIR", help="folder for analysis, report and overlays")
    analyze.add_argument(
        "--format",
        choices=["text", "json", "summary"],
        default="text",
        help="output format: text, the complete analysis, or the compact form for older tools",
    )
    analyze.add_argument(
        "--laboratory", type=Path, metavar="FILE", help="laboratory.json to quote in the report"
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
        refuse_occupied_folder(options.out, "manifest.json", "earlier result")
    elif case.model_fields_set:
        raise ParameterError("Case details are printed in the report, which requires --out DIR.")
    write = partial(
        _write,
        case=case,
        exhibit=options.file.absolute(),
        laboratory=_laboratory(options),
        language_code=options.language,
        length=options.report_length,
    )
    refuse_by_first_bytes(options.file)
    from detector.sandboxed_engine import analyze_confined

    with contextlib.ExitStack() as stack:
        beside = temporary_folder_beside(options.out) if options.out else tempfile.TemporaryDirectory()
        result = Path(stack.enter_context(beside), "result").absolute()
        result.mkdir()
        if options.out:
            _copy_comparisons(options.out, result, options.file)
        show = stack.enter_context(progress_bar())
        analysis = analyze_confined(
            options.file,
            result,
            parameters=parameters,
            model=options.model,
            write=write if options.out else None,
            get_ready=import_report if options.out else None,
            progress=show,
            also=options.also,
            joint=JointRule(options.joint),
        )
        if options.out:
            shutil.rmtree(result / _COMPARISONS, ignore_errors=True)  # copies of those still in place
            replace_folder(result, options.out, pictures="overlays", earlier=_earlier(options.out))
    _print(analysis, options.format, options.out)
    return 0


def _print(analysis: Analysis, form: str, out: Path | None) -> None:
    if form == "json":
        print_json(analysis.to_json())
    elif form == "summary":
        print(json.dumps(compact_form(analysis)))
    else:
        _print_analysis(analysis, out)


def _copy_comparisons(earlier: Path, result: Path, exhibit: Path) -> None:
    """Copy comparisons stored with an earlier result to ``result``, for the new report and manifest.

    Raises :class:`~reports.comparison.kept.ComparisonFileError` for one of another exhibit.
    """
    if not (earlier / _COMPARISONS).is_dir():
        return
    from detector.files import hash_file
    from reports.comparison.kept import kept_comparisons

    kept_comparisons(earlier, hash_file(exhibit)[1])
    shutil.copytree(earlier / _COMPARISONS, result / _COMPARISONS)


def _earlier(folder: Path) -> list[str]:
    """List files of an earlier result and its signature; comparisons stay."""
    from reports.bundle.manifest import listed_in
    from reports.file_names import MANIFEST_SIGNATURE

    return [
        MANIFEST_SIGNATURE,
        *(path for path in listed_in(folder) if not path.startswith(f"{_COMPARISONS}/")),
    ]


def _laboratory(options: argparse.Namespace) -> bytes | None:
    """Read the laboratory.json; reject an invalid one before analysing."""
    if not options.laboratory:
        return None
    from reports.inputs.input_files import parse_laboratory

    text: bytes = options.laboratory.read_bytes()
    parse_laboratory(text, str(options.laboratory))
    return text


def import_report() -> None:
    """Import the report renderer and compile its templates, which takes as long as a short clip."""
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
    length: Length,
) -> None:
    from reports import write_report
    from reports.inputs.input_files import check_exhibit

    write_report(
        analysis,
        folder,
        case,
        check=check_exhibit(exhibit),
        laboratory=laboratory,
        language_code=language_code,
        length=length,
    )


def _print_analysis(analysis: Analysis, out: Path | None) -> None:
    from detector.schema.formatting import never_rounding_up_to

    with never_rounding_up_to(*analysis.parameters.thresholds):
        _print_findings(analysis)
    if out:
        print_line(f"Report: {out / 'report.pdf'}")


def _print_findings(analysis: Analysis) -> None:
    from detector.schema.channel_names import name_channels
    from detector.schema.formatting import probability, timecode
    from detector.schema.metadata import first_statements
    from detector.schema.summary import verdicts_of
    from detector.verdict.finding import finding_of
    from language.headlines import headline

    finding = finding_of(analysis)
    print_line(f"{analysis.media.file}: {headline(verdicts_of(analysis))}")
    print_line(analysis.reason)
    for declaration in first_statements(analysis.declarations):
        print_line(f"The file declares (not used for the verdict): {declaration.short}")
    for segment in analysis.segments:
        but = "" if segment.id in finding.flagged_ids else ", not flagged"
        print_line(
            f"  {segment.id}  person {segment.person}  {timecode(segment.start)} to {timecode(segment.end)}"
            f"  score {probability(segment.confidence)}{but}"
        )
    for other in analysis.others:
        figure = "" if other.probability is None else f", score {probability(other.probability)}"
        print_line(f"{other.model.title}: {other.verdict}{figure}")
    if voice := analysis.voice:
        names = voice.stream.channel_names if voice.stream else ()
        print_line(f"Voice: {voice.verdict}. {voice.reason}")
        if voice.channels:
            print_line("Channels carry different speech; the verdict is that of the worst:")
            for of_channels in voice.findings:
                name = name_channels(of_channels.channels, names)
                print_line(f"  {name}: {of_channels.verdict}. {of_channels.reason}")
        if voice.stream and voice.stream.channels_left_out:
            print_line(f"Not examined: {name_channels(voice.stream.channels_left_out, names)}.")
        for heard in voice.segments:
            but = "" if heard.flagged else ", not flagged"
            where = f"{name_channels(heard.channels, names)}  " if heard.channels else ""
            print_line(
                f"  {heard.id}  {where}{timecode(max(0.0, heard.start))} to {timecode(max(0.0, heard.end))}"
                f"  score {probability(heard.confidence)}{but}"
            )
    if analysis.joint:
        print_line(f"Together: {analysis.joint.verdict}. {analysis.joint.reason}")


def compact_form(analysis: Analysis) -> dict[str, object]:
    """Return the compact form for older tools (``--format summary``).

    ``video_is_fake`` is null if the analysis is inconclusive.
    """
    from detector.schema.analysis import Verdict
    from detector.verdict.finding import finding_of

    def clock(seconds: float) -> str:
        return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"

    fake = {Verdict.MANIPULATED: True, Verdict.NOT_FOUND: False, Verdict.INCONCLUSIVE: None}
    return {
        "input_type": str(analysis.media.kind),
        "video_is_fake": fake[analysis.verdict],
        "overall_confidence": analysis.probability,
        "manipulated_segments": [
            {"start_time": clock(s.start), "end_time": clock(s.end), "confidence": s.confidence}
            for s in finding_of(analysis).flagged
        ],
    }


def add_annotate_command(add: AddCommand) -> None:
    annotate = add("annotate")
    annotate.add_argument("file", type=Path, metavar="EXHIBIT", help="the analysed file")
    annotate.add_argument(
        "analysis",
        type=Path,
        metavar="ANALYSIS_JSON",
        help="analysis.json; heatmaps are read from its folder",
    )
    annotate.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="video to write")
    annotate.add_argument(
        "--animate",
        action="store_true",
        help="compute a heatmap for each sampled frame of flagged segments, which takes about a second each",
    )
    annotate.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from detector.sandboxed_engine import annotate_confined, segment_maps_confined
    from detector.verdict.finding import finding_of
    from reports.exports.overlays import kept_maps
    from reports.inputs.input_files import parse_analysis, read_analysis

    out: Path = options.out
    if out.suffix.lower() != ".mp4" or out.is_dir():
        raise ParameterError(f"{out}: the output is an MP4 file. Choose a name that ends in .mp4.")
    if not out.parent.is_dir():
        raise ParameterError(f"{out}: the folder does not exist. Create it first.")
    analysis = parse_analysis(read_analysis(options.analysis), options.analysis)
    maps = kept_maps(analysis, options.analysis.parent)
    with progress_bar() as show, tempfile.TemporaryDirectory() as scratch:
        moving = {}
        if options.animate:
            for segment in finding_of(analysis).flagged:
                moving[segment.id] = Path(scratch, segment.id)
                moving[segment.id].mkdir()
                segment_maps_confined(options.file, analysis, segment.id, moving[segment.id], show)
        summary = annotate_confined(options.file, analysis, out, maps, moving, show)
    frames = count_noun(summary["frames"], "frame")
    heatmaps = f"{summary['heatmaps']} with a heatmap"
    if options.animate:
        heatmaps = f"{summary['animated']} with an animated heatmap"
    print(f"{out}: {frames}, {heatmaps}. Sound: {summary['sound']}.")
    if summary["heatmaps_missing"]:
        print(f"Missing or unreadable heatmaps: {summary['heatmaps_missing']}.")
    return 0


_RESULT, _PICTURES = "comparison.json", "pictures"


def add_compare_command(add: AddCommand) -> None:
    compare = add("compare")
    compare.add_argument("exhibit", type=Path, metavar="EXHIBIT")
    compare.add_argument("reference", type=Path, metavar="REFERENCE")
    compare.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for comparison.json and pictures"
    )
    compare.add_argument("--format", choices=["text", "json"], default="text", help="output format")
    compare.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    refuse_occupied_folder(options.out, _RESULT, "earlier comparison")
    for path in (options.exhibit, options.reference):
        try:
            refuse_by_first_bytes(path)
        except MediaError as error:
            raise ParameterError(f"{path}: {error}") from None
    from detector.comparison.compare import compare_confined

    with temporary_folder_beside(options.out) as beside, contextlib.ExitStack() as stack:
        result = Path(beside, "result").absolute()
        result.mkdir()
        show = stack.enter_context(progress_bar())
        try:
            comparison = compare_confined(options.exhibit, options.reference, result, progress=show)
        except MediaError as error:  # the message names the file itself
            raise ParameterError(str(error)) from None
        replace_folder(result, options.out, pictures=_PICTURES)
    if options.format == "json":
        print_json(comparison.to_json())
    else:
        _print_comparison(comparison, options.out)
    return 0


def _print_comparison(comparison: Comparison, out: Path) -> None:
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
            f"  score {probability(segment.confidence)}"
        )
    for region in comparison.regions:
        print_line(f"  {region.id}  {region.statement}")
    for words in comparison.not_compared:
        print_line(words)
    print_line(comparison.limits)
    print_line(f"Comparison: {out / _RESULT}")

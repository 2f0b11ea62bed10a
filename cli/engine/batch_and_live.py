"""The commands for many files and continuous sources: ``score``, ``watch`` and ``live``."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from cli.commands import AddCommand
from cli.common import add_engine_options, add_other_models, parameters_from
from cli.engine.analyze import import_report
from detector.schema.formatting import printable
from detector.schema.joint import JointRule

if TYPE_CHECKING:
    from detector.schema.analysis import Analysis


def add_score_command(add: AddCommand) -> None:
    score = add("score")
    score.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="video, photo, recording of sound, zip of photos, or folder of these",
    )
    score.add_argument("--crops", action="store_true", help="treat each image as a crop of one face")
    # The only format; scripts for earlier versions pass it.
    score.add_argument("--format", choices=["jsonl"], help=argparse.SUPPRESS)
    score.add_argument("--workers", type=int, metavar="N", help="parallel files (default: one per core)")
    score.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="also append the lines to this file; files already in it are skipped",
    )
    score.add_argument(
        "--explain",
        action="store_true",
        help="compute heatmaps and print the figures of their checks (peaks)",
    )
    add_engine_options(score)
    add_other_models(score)
    score.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> int:
    from detector.batch.results_file import OtherModelNames
    from detector.batch.run import BatchRun

    many = BatchRun(
        options.files,
        options.model,
        parameters_from(options),
        options.crops,
        options.workers,
        options.out,
        OtherModelNames(options.also, JointRule(options.joint)),
        options.explain,
    )
    failed = False
    for line in many.lines():
        failed = failed or "error" in line
        print(json.dumps(line), flush=True)
    for words in many.remarks():
        print(printable(f"reelproof: {words}"), file=sys.stderr)
    return 1 if failed else 0


def add_watch_and_live_commands(add: AddCommand) -> None:
    watch = add("watch")
    watch.add_argument("folder", type=Path, metavar="FOLDER", help="folder to watch; subfolders are ignored")
    watch.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for results, one folder per file (default: FOLDER/reelproof-results)",
    )
    watch.add_argument("--once", action="store_true", help="exit when all present files are done")
    watch.add_argument(
        "--explain",
        action="store_true",
        help="compute heatmaps and film strips, and show them in the reports",
    )
    add_engine_options(watch)
    watch.set_defaults(run=_watch)

    live = add("live")
    live.add_argument(
        "source",
        metavar="SOURCE",
        help="camera (0, /dev/video0), rtsp:// or http:// address, or a file; decoded in a confined process, "
        "which has network access for an address",
    )
    live.add_argument("--pace", action="store_true", help="play a file at its own speed")
    live.add_argument(
        "--out", type=Path, metavar="FILE", help="also append segments to this file, one JSON line each"
    )
    live.add_argument(
        "--share",
        type=Path,
        metavar="DIR",
        help="show the session on the web app's Live page; DIR is the folder live in its data folder",
    )
    add_engine_options(live)
    live.set_defaults(run=_live)


def _watch(options: argparse.Namespace) -> int:
    parameters = parameters_from(options)
    from detector.batch.watch_folder import Watch
    from detector.models.model_files import load_card

    load_card(options.model)  # report a missing model at once, not for each file
    stopping = _stopping()
    watching = Watch(
        options.folder,
        options.out or options.folder / "reelproof-results",
        write=_write,
        parameters=parameters,
        model=options.model,
        explain=options.explain,
        stopping=stopping,
        get_ready=import_report,
        warn=lambda words: print(printable(f"reelproof: {words}"), file=sys.stderr, flush=True),
    )
    print(f"Watching {watching.folder}; results go to {watching.out}.", file=sys.stderr)
    failed = False
    for line in watching.lines(once=options.once):
        failed = failed or "error" in line
        print(json.dumps(line), flush=True)
    if stopping():
        print("reelproof: stopped; remaining files will be analysed at the next start", file=sys.stderr)
        return 0
    return int(failed)


def _live(options: argparse.Namespace) -> int:
    parameters = parameters_from(options)
    from detector.live.sources import parse_source

    source = parse_source(options.source)
    if source.kind == "stream":
        print(
            "reelproof: the process that decodes a stream is confined but has network access "
            "(docs/confinement.md)",
            file=sys.stderr,
        )
    from detector.live.player import play
    from detector.live.session import LiveSegment, LiveSession
    from detector.live.state import slowness_warning
    from detector.models.loaded import load_model
    from detector.scoring.scorer import Scorer

    stopping = _stopping()
    model = load_model(options.model)
    session = LiveSession(Scorer(model), parameters)
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(options.out.open("a", encoding="utf-8")) if options.out else None

        def closed(segment: LiveSegment) -> None:
            _say({"segment": asdict(segment)}, out)

        shared = None
        if options.share:
            from detector.live.player import SharedSession

            shared = stack.enter_context(
                SharedSession(options.share, session, source, model.card.title, parameters)
            )
        played = play(
            source,
            session,
            parameters.sample_rate,
            pace=options.pace,
            stopping=stopping,
            closed=closed,
            scored=shared.scored if shared else lambda _delay, _dropped: None,
        )
        if shared:
            shared.ended = played.ended
        _say({"summary": asdict(played)}, out)
    if problem := slowness_warning(played.scored, played.dropped):
        print(printable(f"reelproof: {problem}"), file=sys.stderr)
    return 0


def _say(line: dict[str, object], out: IO[str] | None) -> None:
    """Print a line as JSON at once, and append it to ``out``."""
    text = json.dumps(line)
    print(text, flush=True)
    if out:
        out.write(text + "\n")
        out.flush()


def _write(analysis: Analysis, folder: Path) -> None:
    from reports import write_report

    write_report(analysis, folder)


def _stopping() -> Callable[[], bool]:
    """Return a function that tells whether Ctrl-C or SIGTERM came; a second signal ends the program.

    The handler only sets a flag, because an exception could be raised in code that swallows it.
    """
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return lambda: bool(came)

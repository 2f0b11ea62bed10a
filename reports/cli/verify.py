"""``python -m reports verify PATH``: exit status 0 when everything fits, 1 when not, 2 for bad input."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.verification.reanalysis import Reanalysis
    from reports.verification.verify import Verified

_WHAT = {"bundle": "review bundle", "result": "result of an analysis", "report": "report"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command understands."""
    parser.add_argument("path", type=Path, metavar="PATH", help="bundle (zip), folder of a result, or PDF")
    parser.add_argument(
        "--trust",
        type=Path,
        action="append",
        default=[],
        metavar="CERT.pem",
        help="certificate of a signer, or of who vouches for signers; a signature by one is then demanded",
    )
    parser.add_argument(
        "--reanalyse", type=Path, metavar="EXHIBIT", help="analyse the exhibit again and compare the findings"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE|DIR",
        help="weights, or a folder of them, to compare with those recorded (default: models/)",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="what to print")


def run(options: argparse.Namespace) -> int:
    """Verify and print; returns the exit status."""
    # pyHanko and pydantic's models take a second; other commands, and --help, go without.
    from reports.verification.model_weights import check_model
    from reports.verification.reanalysis import ReanalysisError, reanalyse
    from reports.verification.signatures import read_trust
    from reports.verification.verify import verify

    trust = read_trust(options.trust)
    done = verify(options.path, trust)
    again = None
    if done.analysis:
        weights = check_model(done.analysis, options.model, done.findings)
        if options.reanalyse:
            again = reanalyse(done.analysis, options.reanalyse, weights, done.findings)
    elif options.reanalyse:
        raise ReanalysisError(
            f"{options.path} holds no analysis.json that can be read: nothing to compare with."
        )
    print(_as_json(done, again) if options.format == "json" else _in_words(done, again))
    return 1 if done.findings.problems else 0


def _in_words(done: Verified, again: Reanalysis | None) -> str:
    findings = done.findings
    lines = [f"{done.path}: {_WHAT[done.what]}, {findings.files:,} files compared"]
    width = max(map(len, findings.facts), default=0)
    lines += [f"  {name:{width}}  {value}" for name, value in findings.facts.items()]
    lines += again.lines() if again else []
    lines += [f"Note: {note}" for note in dict.fromkeys(findings.notes)]
    if findings.problems:
        lines.append(f"DOES NOT FIT: {len(findings.problems)} found")
        lines += [f"  {problem}" for problem in findings.problems]
    else:
        lines.append("Everything fits.")
        if not findings.signed:
            lines.append("It is not signed: whoever could change all of it could make it fit again.")
    return "\n".join(lines)


def _as_json(done: Verified, again: Reanalysis | None) -> str:
    values = {"path": str(done.path), "what": done.what, **done.findings.as_json(), "reanalysis": None}
    if again:
        values["reanalysis"] = {
            "agree": again.agreement.agree,
            "scores": again.agreement.scores,
            "unmatched": again.agreement.unmatched,
            "score_difference": again.agreement.score_difference,
            "segment_difference": again.agreement.segment_difference,
            "edge_difference": again.agreement.edge_difference,
        }
    return json.dumps(values, ensure_ascii=False, indent=2)

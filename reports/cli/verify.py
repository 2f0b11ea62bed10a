"""``python -m reports verify PATH``: exit status 0 when everything fits, 1 when not, 2 for bad input."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.verification.reanalysis import Reanalysis
    from reports.verification.recomparison import Recomparison
    from reports.verification.verify import Verified

_WHAT = {
    "bundle": "review bundle",
    "result": "result of an analysis",
    "report": "report",
    "log": "custody log",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command understands."""
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="bundle (zip), folder of a result, PDF, or custody.json"
    )
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
        "--reference",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="with --reanalyse: a reference, to repeat the comparison with it as well; may be given again",
    )
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="weights, or a folder of them, to compare with those recorded (default: models/); given again "
        "for an analysis by several models, that of the first one first",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="what to print")


def run(options: argparse.Namespace) -> int:
    """Verify and print; returns the exit status."""
    # pyHanko and pydantic's models take a second; other commands, and --help, go without.
    from reports.verification.model_weights import check_model, other_weights
    from reports.verification.reanalysis import ReanalysisError, reanalyse
    from reports.verification.recomparison import Recomparison, recompare
    from reports.verification.signatures import read_trust
    from reports.verification.verify import verify

    if options.reference and not options.reanalyse:
        raise ReanalysisError("--reference needs the exhibit as well: name it with --reanalyse EXHIBIT.")
    trust = read_trust(options.trust)
    done = verify(options.path, trust)
    again, compared = None, list[Recomparison]()
    if done.analysis:
        weights = check_model(done.analysis, next(iter(options.model), None), done.findings)
        if options.reanalyse:
            others = other_weights(done.analysis, options.model)
            again = reanalyse(done.analysis, options.reanalyse, weights, done.findings, others)
            if again is not None:  # else it is another file
                compared = recompare(done.comparisons, options.reanalyse, options.reference, done.findings)
    elif options.reanalyse:
        raise ReanalysisError(
            f"{options.path} holds no analysis.json that can be read: nothing to compare with."
        )
    print((_as_json if options.format == "json" else _in_words)(done, again, compared))
    return 1 if done.findings.problems else 0


def _in_words(done: Verified, again: Reanalysis | None, compared: list[Recomparison]) -> str:
    findings = done.findings
    lines = [f"{done.path}: {_WHAT[done.what]}, {findings.files:,} files compared"]
    width = max(map(len, findings.facts), default=0)
    lines += [f"  {name:{width}}  {value}" for name, value in findings.facts.items()]
    lines += again.lines() if again else []
    lines += [each.line() for each in compared]
    lines += [f"Note: {note}" for note in dict.fromkeys(findings.notes)]
    if findings.problems:
        word = "NOT REPEATED" if findings.only_not_repeated else "DOES NOT FIT"
        lines.append(f"{word}: {len(findings.problems)} found")
        lines += [f"  {problem}" for problem in findings.problems]
    else:
        lines.append("Everything fits.")
        if not findings.signed:
            lines.append("It is not signed: whoever could change all of it could make it fit again.")
    return "\n".join(lines)


def _as_json(done: Verified, again: Reanalysis | None, compared: list[Recomparison]) -> str:
    values = {"path": str(done.path), "what": done.what, **done.findings.as_json(), "reanalysis": None}
    values["comparisons"] = [
        {"file": each.name, "agree": not each.problems, "problems": list(each.problems)} for each in compared
    ]
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

"""``python -m reports verify PATH``: exit status 0 if everything fits, 1 if not, 2 for bad input."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from detector.errors import ReelproofError
from language.formatting import file_name, plural

if TYPE_CHECKING:
    from verification.verify import Verified


_SPACES = re.compile(r"\s{2,}")
_KINDS = {
    "bundle": "review bundle",
    "result": "result of an analysis",
    "report": "report",
    "log": "custody log",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="bundle (zip), folder of a result, PDF, or custody.json"
    )
    parser.add_argument(
        "--trust",
        type=Path,
        action="append",
        default=[],
        metavar="CERT.pem",
        help="trusted certificate of a signer or of its issuer; a report must then be signed, and a log "
        "must have a timestamp",
    )
    parser.add_argument(
        "--trust-time",
        type=Path,
        action="append",
        default=[],
        metavar="CERT.pem",
        help="trusted certificate of a timestamp authority or of its issuer, for timestamps only; a "
        "timestamp is then required",
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
        help="with --reanalyse: a reference whose comparison is repeated too; may be repeated",
    )
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        default=[],
        metavar="FILE|DIR",
        help="weights, or a folder of them, to compare with the recorded ones (default: models/); repeat "
        "it for an analysis by several models, in their order",
    )
    parser.add_argument("--format", choices=["text", "json"], default="text", help="what to print")


def run(options: argparse.Namespace) -> int:
    """Verify and print; return 1 if something does not fit, otherwise 0.

    Raise :class:`~detector.errors.ReelproofError` if a requested check is impossible and no problem was
    found.
    """
    # pyHanko and pydantic's models take a second; other commands, and --help, go without.
    from verification.reanalysis import ReanalysisError
    from verification.trusted_time import read_trust
    from verification.verify import verify, verify_against

    if options.reference and not options.reanalyse:
        raise ReanalysisError("--reference also needs the exhibit: name it with --reanalyse EXHIBIT.")
    verified = verify(options.path, read_trust(options.trust), read_trust(options.trust_time))
    refused: ReelproofError | None = None
    try:
        verify_against(verified, options.model, options.reanalyse, options.reference)
    except ReelproofError as error:  # that it cannot be repeated must not hide what was found before
        refused = error
    print((_as_json if options.format == "json" else _in_words)(verified, refused))
    if refused is None:
        return 1 if verified.results.problems else 0
    if not verified.results.problems:
        raise refused
    print(_plain(f"{options.speaker}: {refused}"), file=sys.stderr)
    return 1


def _in_words(verified: Verified, refused: ReelproofError | None) -> str:
    results = verified.results
    lines = [
        _plain(f"{verified.path}: {_KINDS[verified.kind]}, {plural(results.files, 'file', 'files')} compared")
    ]
    facts = [(_plain(name), _plain(value)) for name, value in results.facts.items()]
    width = max((len(name) for name, _ in facts), default=0)
    lines += [f"  {name:{width}}  {value}" for name, value in facts]
    lines += [_plain(line) for line in verified.reanalysis.lines()] if verified.reanalysis else []
    lines += [_plain(recomparison.line()) for recomparison in verified.recomparisons]
    lines += [_plain(f"Note: {note}") for note in dict.fromkeys(results.notes)]
    if results.problems:
        word = "NOT REPEATED" if results.only_not_repeated else "DOES NOT FIT"
        lines.append(f"{word}: {len(results.problems)} found")
        lines += [f"  {_plain(str(problem))}" for problem in results.problems]
    else:
        lines.append("Everything that could be checked fits." if refused else "Everything fits.")
        lines += [verified.unsigned] if verified.unsigned else []
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Return ``text`` as one line that cannot imitate the command's own output.

    Names come from the file and could claim that it fits, by line feeds, escapes of terminals, or spaces up
    to the next line.
    """
    return _SPACES.sub(" ", file_name(text))


def _as_json(verified: Verified, refused: ReelproofError | None) -> str:
    values = {
        "path": str(verified.path),
        "what": verified.kind,
        **verified.results.as_json(),
        "reanalysis": None,
    }
    values["refused"] = str(refused) if refused else None
    values["notes"] = [*verified.results.notes, *([verified.unsigned] if verified.unsigned else [])]
    values["comparisons"] = [
        {
            "file": recomparison.name,
            "agree": not recomparison.problems,
            "problems": list(recomparison.problems),
        }
        for recomparison in verified.recomparisons
    ]
    if reanalysis := verified.reanalysis:
        values["reanalysis"] = {
            "agree": reanalysis.agreement.agree and reanalysis.fits,
            "scores": reanalysis.agreement.scores,
            "unmatched": reanalysis.agreement.unmatched,
            "score_difference": reanalysis.agreement.score_difference,
            "segment_difference": reanalysis.agreement.segment_difference,
            "edge_difference": reanalysis.agreement.edge_difference,
        }
    return json.dumps(values, indent=2)  # ASCII: no controls, which terminals obey, and no overrides

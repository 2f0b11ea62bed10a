"""Prints the table of operations for docs/api.md: ``python tests/webapp/print_api.py`` from the root."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]


def printed() -> str:
    """The table as the document has it; an app must have been made."""
    from webapp.rest.openapi import document

    lines = ["| route | what it does | scope |", "|---|---|---|"]
    for path, methods in document(login=True)["paths"].items():
        for method, of in methods.items():
            scope = f"`{of['security'][0]['token'][0]}`" if of["security"] else "anyone"
            first, rest = of["summary"][0], of["summary"][1:]
            summary = (first.lower() if rest[:1].islower() else first) + rest
            lines.append(f"| `{method.upper()} {path}` | {summary} | {scope} |")
    return "\n".join(lines)


if __name__ == "__main__":
    from webapp import create_app

    with tempfile.TemporaryDirectory() as folder:
        create_app({"REELPROOF_DATA": folder}).extensions["database"].close()
    print(printed())

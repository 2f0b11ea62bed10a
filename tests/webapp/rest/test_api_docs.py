"""docs/api.md: each of its curl examples runs against a live server, one after another in one shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from http_servers import Receiver, served
from made_results import finished
from print_api import printed
from voices import voice

from detector.files import ROOT
from webapp import create_app
from webapp.accounts import tokens
from webapp.accounts.permissions import LOCAL
from webapp.rest import openapi
from webapp.storage.tables import AnalysisRow

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def examples() -> list[str]:
    """The indented lines outside of Python blocks."""
    outside = re.sub(r"```python\n.*?```", "", TEXT, flags=re.S)
    return [line[4:] for line in outside.splitlines() if line.startswith("    ")]


def test_the_table_matches_the_code(app):
    assert printed() in TEXT, "put what `python tests/webapp/print_api.py` prints into docs/api.md"


def test_the_order_is_independent_of_imports(app, monkeypatch):
    otherwise = sorted(openapi.OPERATIONS, key=lambda operation: operation.area, reverse=True)
    monkeypatch.setattr(openapi, "OPERATIONS", otherwise)
    assert printed() in TEXT


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_every_example_runs(tmp_path, sent, quick_reports):
    lines = examples()
    assert sum("curl" in line for line in lines) >= 30
    with Receiver() as receiver:
        app = create_app(
            {
                "TESTING": True,
                "REELPROOF_DATA": tmp_path / "data",
                "SEND": sent.append,
                "REELPROOF_WEBHOOKS": receiver.address,
            }
        )
        done = finished(app, {"voice": voice()}, segments=2)
        with app.extensions["database"].alone() as session:
            token = tokens.create(session, LOCAL, "examples", ["read"]).token
        work = tmp_path / "work"
        work.mkdir()
        (work / "clip.mp4").write_bytes(bytes(range(256)) * 20)
        with served(app) as address:
            script = ["set -eo pipefail", *lines]
            # The server's own address in place of the printed one; commands of Reelproof from its folder.
            script = [line.replace("http://127.0.0.1:8000", address) for line in script]
            script = [
                line.replace("reelproof add-token", f"PYTHONPATH={ROOT} {sys.executable} -m cli add-token")
                for line in script
            ]
            # curl says nothing of an answer's status by itself; here anything from 400 on ends the script.
            wanted = [line for line in script if "limit=0" not in line and "/readyz" not in line]
            environment = os.environ | {
                "DONE": done.id,
                "TOKEN": token,
                "HOOK": f"{receiver.address}/in",
                "REELPROOF_DATA": str(tmp_path / "data"),
            }
            prelude = (
                'curl() { command curl --fail-with-body "$@"; }; trap \'echo "at: $BASH_COMMAND" >&2\' ERR'
            )
            ran = subprocess.run(
                ["bash", "-c", "\n".join([prelude, *wanted])],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert ran.returncode == 0, f"{ran.stderr[-2000:]}\n{ran.stdout[-2000:]}"
            refused = next(line for line in script if "limit=0" in line)
            problem = subprocess.run(
                ["bash", "-c", f"REELPROOF={address}/api/v1; {refused}"],
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert '"status":422' in problem.stdout
        assert (work / "report.pdf").read_bytes().startswith(b"%PDF")
        assert re.search(r"(^|})304$", ran.stdout, re.M)  # after the scores, which end without a line end
        assert '"idempotency' not in ran.stdout.lower()
        with app.extensions["database"].begin() as session:
            names = [row.file for row in session.query(AnalysisRow)]
        assert names.count("clip.mp4") >= 3
        app.extensions["database"].close()

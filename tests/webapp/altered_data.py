"""Data folders that were altered, for tests, and what verify-log says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.web import main as cli

SAID = {"kind": "exhibit", "author": "Ada", "verdict": "agree", "note": ""}


def verify(data: Path, capsys) -> tuple[int, str]:
    """Status and output of the command on this data folder."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("REELPROOF_DATA", str(data))
        return cli.run(["verify-log"]), capsys.readouterr().out


def addresses(analysis_id: str) -> list[str]:
    api, page = f"/api/v1/analyses/{analysis_id}", f"/analyses/{analysis_id}"
    own = [page, f"/api/v1{page}", f"{page}/bundle.zip?video=no", f"{page}/report.html"]
    return [*own, api, f"{api}/analysis.json", f"{api}/segments"]

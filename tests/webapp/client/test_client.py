"""The Python client against a live server on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from client_connections import CONTENT, clock
from made_comparisons import compared
from made_results import finished, hand_in
from voices import voice

from detector.files import ROOT
from detector.schema.causes.failures import FailureCode
from webapp import client
from webapp.client import (
    AnalysisFailed,
    Client,
    ClientError,
    ComparisonFailed,
    Conflict,
    NotAllowed,
    NotFound,
    NotReached,
    Problem,
    Unusable,
    calls,
    connection,
    uploads,
)
from webapp.downloads import kept_reports, reports
from webapp.http import in_turn
from webapp.jobs import claims
from webapp.jobs.parameters import read_other_models
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow


def test_upload_wait_and_download(app, live, clip, tmp_path, monkeypatch, quick_reports):
    monkeypatch.setattr(uploads, "PART", 300_000)
    reelproof, parts = Client(live), []
    stands = reelproof.create(clip, parameters={"seed": 1}, on_part=lambda *so_far: parts.append(so_far))
    assert stands["file"] == clip.name and stands["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert parts == [(300_000, 1_024_000), (600_000, 1_024_000), (900_000, 1_024_000), (1_024_000, 1_024_000)]
    done = finished(app, segments=2)
    assert reelproof.wait(done.id)["verdict"] == "manipulated"
    assert {entry["id"] for entry in reelproof.analyses()} == {done.id, stands["id"]}
    assert [entry["id"] for entry in reelproof.analyses(q="größe", limit=1)] == [stands["id"]]
    stored = reelproof.analysis(done.id)["segments"]
    assert reelproof.segments(done.id) == [entry | {"flagged": True} for entry in stored] != []
    few, many = list(reelproof.scores(done.id, limit=50)), list(reelproof.scores(done.id))
    assert few == many and len(many) > 100
    pdf = reelproof.download(done.id, "report.pdf", tmp_path / "report.pdf")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert reelproof.download(done.id, "exports/csv", tmp_path / "s.csv").stat().st_size
    annotation = reelproof.annotate(done.id, kind="exhibit", author="Ada", verdict="agree", note="ja")
    assert reelproof.annotations(done.id) == [annotation]
    assert any(entry["default"] for entry in reelproof.models())
    assert len(list(reelproof.exhibits())) == 2


def test_segments_and_scores_of_the_voice(app, live):
    reelproof, done, without = Client(live), finished(app, {"voice": voice()}), finished(app, segments=2)
    stored = reelproof.analysis(done.id)["voice"]
    assert reelproof.voice_segments(done.id) == stored["segments"] != []
    scores = list(reelproof.voice_scores(done.id, limit=9))
    assert [score["time"] for score in scores] == stored["scores"]["time"]
    with pytest.raises(NotFound, match="not examined"):
        reelproof.voice_segments(without.id)


def test_a_report_being_rendered_is_waited_for(app, live, tmp_path, monkeypatch, quick_reports):
    row, folders = finished(app), Folders.local(app.extensions["settings"].data)
    monkeypatch.setattr(in_turn, "PATIENCE", 0.01)
    monkeypatch.setattr(in_turn.NotReady, "retry_after", 1)
    with contextlib.ExitStack() as making:
        assert making.enter_context(kept_reports.hold_report_lock(folders, row.id, 0.0))
        pauses = []

        def pause(seconds: float) -> None:
            assert Client(live).get(row.id)["report"] == "being made"
            pauses.append(seconds)
            making.close()

        monkeypatch.setattr(connection, "time", clock(pause))
        with monkeypatch.context() as patched, pytest.raises(Problem, match="being made"):
            patched.setattr(calls, "_REPORT_WAIT", 0.5)
            Client(live).download(row.id, "report.pdf", tmp_path / "report.pdf")
        assert pauses == []
        pdf = Client(live).download(row.id, "report.pdf", tmp_path / "report.pdf")
    assert pdf.read_bytes().startswith(b"%PDF") and pauses == [1.0]
    assert Client(live).get(row.id)["report"] == "available"


def test_a_slow_report_is_waited_for_beyond_the_timeout(app, live, tmp_path, monkeypatch, quick_reports):
    """Its own request has it rendered; the next one finds that going on, or what came of it."""
    row, pauses, rendered = finished(app), [], threading.Event()
    render = reports._render

    def render_slowly(*given: Any) -> None:
        assert rendered.wait(60)
        render(*given)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if pauses.count(5.0) == 2:
            rendered.set()
        time.sleep(0.05)

    monkeypatch.setattr(reports, "_render", render_slowly)
    monkeypatch.setattr(in_turn, "PATIENCE", 0.01)
    monkeypatch.setattr(connection, "time", clock(pause))
    pdf = Client(live, timeout=3.0).download(row.id, "report.pdf", tmp_path / "report.pdf")
    # A busy machine may be too slow for other requests too.
    assert pdf.read_bytes().startswith(b"%PDF") and pauses[0] == 1 and pauses.count(5.0) >= 2


def test_errors_have_kinds(app, live, tmp_path, monkeypatch):
    reelproof, pauses = Client(live), []
    monkeypatch.setattr(connection, "time", clock(pauses.append))
    with pytest.raises(NotFound) as missing:
        reelproof.get("0" * 32)
    assert missing.value.status == 404 and missing.value.remedy
    with pytest.raises(Unusable, match=r"query\.limit"):
        list(reelproof.analyses(limit=0))
    with pytest.raises(Conflict):
        reelproof.download(hand_in(app).id, "report.pdf", tmp_path / "x.pdf")
    assert not list(tmp_path.glob("*x.pdf*"))
    with pytest.raises(NotAllowed, match="token"):
        Client(live, token="rp_" + "A" * 43).models()
    with pytest.raises(NotReached):
        Client("http://127.0.0.1:9").models()
    assert pauses == [1, 2, 4, 8]
    with pytest.raises(ClientError, match="is not at"):
        Client(live)._json("GET", "//evil.example/x")


def test_waiting_raises_on_failure_and_timeout(app, live):
    database, row = app.extensions["database"], hand_in(app)
    with pytest.raises(TimeoutError):
        Client(live).wait(row.id, timeout=0.3)
    claims.fail_job(database, claims.claim_analysis(database, row.id), FailureCode.CRASHED.cause())
    with pytest.raises(AnalysisFailed, match="crashed the decoder"):
        Client(live).wait(row.id)
    assert Client(live).retry(row.id)["state"] == "queued"
    assert Client(live).cancel(row.id)["state"] == "cancelled"
    assert Client(live).again(row.id, parameters={"seed": 2})["settings"] == {"seed": 2}
    Client(live).delete(row.id)
    with pytest.raises(NotFound):
        Client(live).get(row.id)


def test_comparisons_are_created_and_fetched(app, live, tmp_path):
    reelproof = Client(live)
    pair = finished(app, file="altered.mp4"), finished(app, file="original.mp4")
    exhibit, reference = (row.exhibit.sha256 for row in pair)
    waits = reelproof.compare(exhibit, reference, priority="high")
    assert (waits["state"], waits["priority"]) == ("queued", "high")
    with pytest.raises(TimeoutError):
        reelproof.wait_for_comparison(waits["id"], timeout=0.3)
    assert reelproof.cancel_comparison(waits["id"])["state"] == "cancelled"
    with pytest.raises(ComparisonFailed, match="was cancelled"):
        reelproof.wait_for_comparison(waits["id"])
    reelproof.delete_comparison(waits["id"])
    done = compared(app, *pair)
    assert reelproof.wait_for_comparison(done.id) == reelproof.comparison(done.id)
    assert [comparison["id"] for comparison in reelproof.comparisons(exhibit)] == [done.id]
    name = reelproof.comparison_result(done.id)["segments"][0]["peaks"][0]["side_by_side"]
    assert reelproof.download_picture(done.id, name, tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_priority_and_pause(app, live, clip):
    reelproof = Client(live)
    analysis = reelproof.create(clip, priority="low")
    assert analysis["priority"] == "low"
    assert reelproof.prioritise(analysis["id"], "high")["priority"] == "high"
    assert reelproof.pause(analysis["id"])["state"] == "paused"
    with pytest.raises(TimeoutError, match="paused"):
        reelproof.wait(analysis["id"], timeout=0.3)
    assert reelproof.resume(analysis["id"])["state"] == "queued"
    assert reelproof.again(analysis["id"], priority="low")["priority"] == "low"


def test_analyses_with_several_models(app, live, clip):
    reelproof = Client(live)
    first = reelproof.create(clip, also=["efficientnet-lstm"], joint="all")
    again = reelproof.again(first["id"], also=("efficientnet-lstm",))
    with app.extensions["database"].begin() as session:
        asked = [
            read_other_models(session.get_one(AnalysisRow, entry["id"]).changed_parameters)
            for entry in (first, again)
        ]
    assert [entry.names for entry in asked] == [("efficientnet-lstm",), ("efficientnet-lstm",)]
    assert [entry.rule for entry in asked] == ["all", "first"]


def test_a_token_is_never_quoted(live):
    token = "rp_" + "A" * 43
    with pytest.raises(NotAllowed):  # reached: the end of a line is no part of it
        Client(live, token=f" {token}\r\n").models()
    for broken in (f"{token}\n{token}", f"{token}\0", f"{token}é"):
        with pytest.raises(ClientError, match="invalid characters") as refused:
            Client(live, token=broken)
        assert token not in str(refused.value)


def test_it_needs_the_standard_library_alone(tmp_path):
    shutil.copytree(
        Path(client.__file__).parent, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__")
    )
    # -S: no installed packages can be found.
    subprocess.run([sys.executable, "-S", "-c", "import copied"], cwd=tmp_path, check=True, timeout=60)


def test_it_is_imported_from_the_tree_with_the_standard_library_alone():
    """Isolated, and without site-packages: whatever else is imported is not there."""
    code = f"import sys; sys.path.append({str(ROOT)!r}); import webapp.client; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, cwd="/")
    assert ended.returncode == 0, ended.stderr
    packages = {name.partition(".")[0] for name in ended.stdout.split()}
    assert packages - set(sys.stdlib_module_names) <= {"webapp", "__main__"}

"""Comparisons altered outside the app are rejected, and reported by verify-log."""

from __future__ import annotations

import json

import made_comparisons
import pytest
from made_results import finished
from sqlalchemy import delete, update

from cli.web import main as cli
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE, comparison_sums_text
from webapp.storage.tables import ComparisonRow

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.fixture
def verified(app, monkeypatch, capsys):
    """What verify-log finds: its exit status and its words."""
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))

    def verify() -> tuple[int, str]:
        capsys.readouterr()
        return cli.run(["verify-log"]), capsys.readouterr().out

    return verify


@pytest.fixture
def row(app):
    return finished(app)


@pytest.fixture
def compared(app, row, verified) -> ComparisonRow:
    made = made_comparisons.compared(app, row, finished(app, file="other.mp4"))
    assert verified()[0] == 0
    return made


@pytest.mark.parametrize("column", ["reference_id", "related", "segments", "outcome"])
def test_comparison_row_is_compared_with_the_log(app, client, row, compared, verified, column):
    changed = {
        "reference_id": row.exhibit_id,
        "related": not compared.related,
        "segments": compared.segments + 1,
        "outcome": "no difference",
    }
    with app.extensions["database"].begin() as session:
        session.execute(update(ComparisonRow).values({column: changed[column]}))
    differs = "The database record of this comparison differs from the custody log."
    answer = client.get(f"/comparisons/{compared.id}")
    assert answer.status_code == 500 and differs in answer.text
    status, words = verified()
    assert status == 1 and f"Comparison {compared.id}: {differs}" in words


def test_recomputed_checksums_do_not_hide_a_changed_result(client, folders, row, compared, verified):
    folder = folders.comparison(compared.id)
    page = f"/comparisons/{compared.id}"
    picture = next(
        path.name
        for path in sorted(folder.rglob("*.*"))
        if path.name not in (COMPARISON_FILE, COMPARISON_SUMS_FILE)
    )
    asked = page, f"{page}/comparison.json", f"{page}/pictures/{picture}"
    asked = *asked, f"/analyses/{row.id}/bundle.zip?video=no"
    assert {address: client.get(address).status_code for address in asked} == dict.fromkeys(asked, 200)
    document = json.loads((folder / COMPARISON_FILE).read_text())
    (folder / COMPARISON_FILE).write_text(json.dumps(document | {"segments": []}))
    (folder / COMPARISON_SUMS_FILE).write_bytes(comparison_sums_text(folder))
    wrong = "The checksums of this comparison differ from those in the custody log."
    answers = {address: client.get(address) for address in asked}
    assert {address: answer.status_code for address, answer in answers.items()} == dict.fromkeys(asked, 500)
    assert all(wrong in answer.text for answer in answers.values())
    status, words = verified()
    assert status == 1 and f"Comparison {compared.id}: {wrong}" in words


def test_missing_comparison_is_reported(app, compared, verified):
    with app.extensions["database"].begin() as session:
        session.execute(delete(ComparisonRow))
    status, words = verified()
    assert status == 1 and f"Comparison {compared.id}: it is not in the database" in words

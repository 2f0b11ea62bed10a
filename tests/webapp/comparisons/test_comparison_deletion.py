"""Deleting comparisons: with an exhibit, alone, and after a crash."""

from __future__ import annotations

import pytest
from made_comparisons import comparison_rows, queued

from detector.models.model_files import DEFAULT_MODEL
from webapp.custody import custody_log
from webapp.custody.audit import Audit
from webapp.exhibits import deletion
from webapp.jobs import states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, CaseRow, ComparisonRow, now

HTML = {"Accept": "text/html"}


def put_into_closed(app, row: AnalysisRow) -> None:
    with app.extensions["database"].begin() as session:
        case = CaseRow(name="closed", created=now(), created_by="x", closed=now())
        session.add(case)
        session.flush()
        session.get_one(AnalysisRow, row.id).case_id = case.id


class TestDeletion:
    def test_comparison_is_deleted_with_either_exhibit(self, app, client, done, pair):
        folders = Folders.local(app.extensions["settings"].data)
        assert "1 comparison of the exhibit" in client.get(f"/analyses/{pair[1].id}/delete").text
        assert client.post(f"/analyses/{pair[1].id}/delete").status_code == 303
        assert comparison_rows(app) == [] and not folders.comparison(done.id).exists()
        gone = client.get(f"/comparisons/{done.id}", headers=HTML)
        assert gone.status_code == 410 and "with one of its exhibits" in gone.text
        assert "the reference was deleted" in client.get(f"/analyses/{pair[0].id}/custody").text

    def test_delete_after_confirmation(self, app, client, done, pair):
        folders = Folders.local(app.extensions["settings"].data)
        assert f'href="/comparisons/{done.id}/delete"' in client.get(f"/comparisons/{done.id}").text
        assert "Both exhibits and their analyses" in client.get(f"/comparisons/{done.id}/delete").text
        answer = client.post(f"/comparisons/{done.id}/delete")
        assert answer.status_code == 303 and answer.location == f"/analyses/{pair[0].id}"
        assert comparison_rows(app) == [] and not folders.comparison(done.id).exists()
        assert list(folders.deletions.iterdir()) == []
        gone = client.get(f"/comparisons/{done.id}", headers=HTML)
        assert gone.status_code == 410 and "with one of its exhibits" not in gone.text
        assert all(client.get(f"/analyses/{row.id}").status_code == 200 for row in pair)
        assert client.get(f"/analyses/{pair[0].id}/custody").status_code == 200
        log = Audit()
        with app.extensions["database"].snapshot() as session:
            list(log.observe(custody_log.iter_rows(session)))
            assert not [problem for problem in log.problems(session) if "omparison" in problem]

    def test_comparison_of_closed_case_offers_no_changes(self, app, client, done, pair):
        offered = (f"/comparisons/{done.id}/delete", f"/analyses/{pair[0].id}/compare")
        page = client.get(f"/comparisons/{done.id}").text
        assert all(f'"{address}"' in page for address in offered) and "is closed" not in page
        put_into_closed(app, pair[1])
        assert "is closed" not in client.get(f"/comparisons/{done.id}").text, "not the reference's"
        put_into_closed(app, pair[0])
        page = client.get(f"/comparisons/{done.id}").text
        assert not any(f'"{address}"' in page for address in offered)
        assert "can be neither deleted nor repeated" in page
        assert client.get(f"/comparisons/{done.id}/delete", headers=HTML).status_code == 409
        assert client.post(f"/comparisons/{done.id}/delete", headers=HTML).status_code == 409
        assert [row.id for row in comparison_rows(app)] == [done.id]

    def test_unfinished_comparison_cannot_be_deleted(self, app, client, pair):
        row = queued(app, *pair)
        assert client.get(f"/comparisons/{row.id}/delete", headers=HTML).status_code == 409
        assert client.delete(f"/api/v1/comparisons/{row.id}").status_code == 409
        assert states.cancel(app.extensions["database"], row.id, ComparisonRow)
        assert client.delete(f"/api/v1/comparisons/{row.id}").status_code == 204
        assert comparison_rows(app) == []

    def test_comparison_of_closed_case_cannot_be_deleted(self, app, client, done, pair):
        put_into_closed(app, pair[0])
        assert client.delete(f"/api/v1/comparisons/{done.id}").status_code == 409
        assert len(comparison_rows(app)) == 1

    @pytest.mark.parametrize("inside", [0, 1])
    def test_exhibit_compared_in_a_closed_case_cannot_be_deleted(self, app, client, done, pair, inside):
        put_into_closed(app, pair[inside])
        outside = pair[1 - inside]
        page = client.post(f"/analyses/{outside.id}/delete", headers=HTML)
        assert page.status_code == 409 and "belongs to a closed case" in page.text
        answer = client.delete(f"/api/v1/analyses/{outside.id}")
        assert answer.status_code == 409 and "belongs to a closed case" in answer.json["detail"]
        folders = Folders.local(app.extensions["settings"].data)
        assert folders.comparison(done.id).exists() and list(folders.deletions.iterdir()) == []
        assert client.get(f"/comparisons/{done.id}").status_code == 200
        assert client.get(f"/analyses/{outside.id}").status_code == 200

    def test_analysis_of_a_shared_exhibit_can_be_deleted(self, app, client, done, pair):
        put_into_closed(app, pair[0])
        client.post(f"/analyses/{pair[1].id}/again", data={"model": DEFAULT_MODEL})
        assert client.delete(f"/api/v1/analyses/{pair[1].id}").status_code == 204
        assert len(comparison_rows(app)) == 1

    def test_crash_before_the_row_is_deleted_changes_nothing(self, app, done):
        database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
        (folders.deletions / done.id).write_text("\n".join((done.exhibit.sha256, done.id)))
        deletion.finish_deletions(database, folders)
        assert folders.comparison(done.id).exists() and list(folders.deletions.iterdir()) == []

    def test_interrupted_deletion_is_completed(self, app, done, pair):
        database, folders = app.extensions["database"], Folders.local(app.extensions["settings"].data)
        kept, away = folders.comparison(done.id), folders.data / "away"
        kept.rename(away)
        deletion.delete_analysis(database, folders, pair[1].id)
        away.rename(kept)  # as if the power had gone after the rows
        note = "\n".join((pair[1].exhibit.sha256, done.id))
        (folders.deletions / pair[1].id).write_text(note)
        deletion.finish_deletions(database, folders)
        assert not kept.exists() and list(folders.deletions.iterdir()) == []

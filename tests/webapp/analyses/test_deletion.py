"""Deletion of analyses: rows, files, the exhibit, and crashes in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from made_results import engine, finished, hand_in
from made_rows import count, row, say

from detector.models.model_files import DEFAULT_MODEL
from webapp.exhibits import deletion
from webapp.jobs import claims, states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseDetailsRow, Exhibit
from webapp.worker import run_analysis, run_job


def exhibits(folders: Folders) -> list[Path]:
    return [path for path in folders.exhibits.rglob("*") if path.is_file()]


class TestDelete:
    def test_everything_is_deleted(self, app, client, database, folders):
        done = finished(app)
        say(database, done.id)
        assert client.post(f"/analyses/{done.id}/case", data={"case_number": "ST/1"}).status_code == 303
        assert count(database, CaseDetailsRow) == 1
        for derived in (folders.preview(done.exhibit.sha256), folders.playback(done.exhibit.sha256)):
            derived.write_bytes(b"made of it")
        (folders.reports_of(done.id) / "state").mkdir(parents=True)
        asked = client.get(f"/analyses/{done.id}/delete").text
        for words in ("cannot be undone", "The exhibit,", "1 entry", "Delete the analysis and the exhibit"):
            assert words in asked, words
        assert row(database, done.id) is not None
        answer = client.post(f"/analyses/{done.id}/delete", data={"back": "sort=name&page=2"})
        assert answer.location == "/analyses?sort=name&page=2&deleted=1"
        assert "The analysis was deleted." in client.get(answer.location).text
        for table in (AnalysisRow, AnnotationRow, CaseDetailsRow, Exhibit):
            assert count(database, table) == 0
        assert exhibits(folders) == [] and not folders.thumbnail(done.id).exists()
        assert list(folders.previews.iterdir()) == list(folders.reports.iterdir()) == []
        assert list(folders.analyses.iterdir()) == [] and list(folders.deletions.iterdir()) == []
        assert client.get(f"/analyses/{done.id}").status_code == 410

    def test_a_shared_exhibit_is_kept(self, app, client, database, folders):
        done = finished(app)
        again = client.post(f"/analyses/{done.id}/again", data={"model": DEFAULT_MODEL}).location.rpartition(
            "/"
        )[2]
        asked = client.get(f"/analyses/{done.id}/delete").text
        assert "1 other analysis uses it" in asked and "and the exhibit" not in asked
        assert client.delete(f"/api/v1/analyses/{done.id}").status_code == 204
        assert len(exhibits(folders)) == 1 and row(database, again).exhibit.sha256 == done.exhibit.sha256

    def test_unfinished_analyses_cannot_be_deleted(self, app, client, database, folders):
        queued = hand_in(app)
        for words in ("in the queue", "running"):
            for ask in (client.get, client.post):
                answer = ask(f"/analyses/{queued.id}/delete")
                assert answer.status_code == 409 and words in answer.text and "Cancel it first" in answer.text
            claims.claim_analysis(database, queued.id)
        assert row(database, queued.id).state == "running" and len(exhibits(folders)) == 1

    @pytest.mark.parametrize("lost", ["_remove_result", "_remove_unless_known"])
    def test_an_interrupted_deletion_leaves_nothing_usable(
        self, app, client, database, folders, monkeypatch, lost
    ):
        done, other = finished(app), finished(app, segments=2)
        with monkeypatch.context() as patched:
            patched.setattr(deletion, lost, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                deletion.delete_analysis(database, folders, done.id)
        assert client.get(f"/analyses/{done.id}").status_code == 410
        assert client.get(f"/analyses/{done.id}/report.pdf").status_code == 410
        folders.remove_leftovers()
        deletion.finish_deletions(database, folders)
        assert [path.name for path in folders.analyses.iterdir()] == [other.id]
        assert [path.name for path in exhibits(folders)] == [other.exhibit.sha256]
        assert [path.stem for path in folders.thumbnails.iterdir()] == [other.id]
        assert list(folders.deletions.iterdir()) == []

    def test_a_crash_before_the_commit_deletes_nothing(self, app, database, folders):
        done = finished(app)
        for text in (done.exhibit.sha256, ""):
            (folders.deletions / done.id).write_text(text)
            deletion.finish_deletions(database, folders)
            assert list(folders.deletions.iterdir()) == []
            assert folders.result(done.id).is_dir() and len(exhibits(folders)) == 1

    def test_files_without_a_journal_are_kept(self, app, database, folders):
        """For example after an older copy of the database was restored."""
        done = finished(app)
        with database.begin() as session:
            session.delete(session.get_one(AnalysisRow, done.id))
        deletion.finish_deletions(database, folders)
        assert folders.result(done.id).is_dir() and len(exhibits(folders)) == 1

    def test_a_concurrent_upload_of_the_same_file_is_kept(self, app, database, folders, monkeypatch):
        done = hand_in(app, b"same")
        states.cancel(database, done.id)
        really = deletion._remove_result

        def handed_in_between(place, analysis_id):
            hand_in(app, b"same")
            really(place, analysis_id)

        monkeypatch.setattr(deletion, "_remove_result", handed_in_between)
        deletion.delete_analysis(database, folders, done.id)
        assert len(exhibits(folders)) == count(database, Exhibit) == count(database, AnalysisRow) == 1

    @pytest.mark.parametrize("deleted", [True, False])
    def test_results_of_late_attempts_are_deleted(self, app, database, folders, monkeypatch, deleted):
        def late(unfinished, place):
            states.cancel(database, analysis_id)
            if deleted:
                deletion.delete_analysis(database, folders, analysis_id)
            unfinished.rename(place)
            sha256 = handed_in.exhibit.sha256
            for derived in (folders.preview(sha256), folders.playback(sha256)):
                derived.write_bytes(b"made of it")

        monkeypatch.setattr(run_analysis, "make_analysis", engine)
        monkeypatch.setattr(run_analysis, "publish_folder", late)
        monkeypatch.setattr(run_analysis.previews, "prepare_playback", lambda *_: None)
        handed_in = hand_in(app)
        analysis_id = handed_in.id
        run_job.work(app.extensions["settings"])
        assert list(folders.analyses.iterdir()) == [] and list(folders.thumbnails.iterdir()) == []
        assert (exhibits(folders) == []) == (list(folders.previews.iterdir()) == []) == deleted

    def test_concurrent_deletions(self, app, database, folders):
        """Two concurrent deletions of analyses of one exhibit delete the exhibit once."""
        first = hand_in(app, b"same")
        second = hand_in(app, b"same")
        for analysis in (first, second):
            states.cancel(database, analysis.id)
        threads = [
            threading.Thread(target=deletion.delete_analysis, args=(database, folders, analysis.id))
            for analysis in (first, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert exhibits(folders) == [] and count(database, Exhibit) == 0

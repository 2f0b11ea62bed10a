"""Retention: what is due by a made clock, what is deleted, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from made_cases import another, entries, put
from made_comparisons import compared
from made_results import finished, hand_in
from sqlalchemy import select

from webapp.exhibits import retention as due_retention
from webapp.settings import SettingError, read_settings
from webapp.storage.tables import AnalysisRow, CaseRow, State, now
from webapp.worker import retention

DAYS = 30
REASON = "retention: older than 30 days"


@pytest.fixture
def limited(settings):
    """The settings of the app, with a limit."""
    return settings.model_copy(update={"retention": timedelta(days=DAYS)})


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch):
    """Set the clock of retention forward by so many days."""

    def set_clock(days: float) -> None:
        moment = now() + timedelta(days=days)
        monkeypatch.setattr(retention, "now", lambda: moment)

    return set_clock


def files(database) -> set[str]:
    with database.begin() as session:
        return set(session.scalars(select(AnalysisRow.file)))


def test_nothing_is_deleted_unless_it_is_set(app, settings, database, later):
    finished(app, file="old.mp4")
    later(10_000)
    assert settings.retention is None and retention.delete_due(database, settings) == 0
    assert files(database) == {"old.mp4"}
    for wrong in ("-1", "1.5", "x"):
        with pytest.raises(SettingError, match="REELPROOF_RETENTION_DAYS"):
            read_settings({"REELPROOF_RETENTION_DAYS": wrong})


def test_ended_analyses_in_no_case_are_deleted_in_time(app, limited, database, folders, later):
    done, other = finished(app, file="done.mp4"), hand_in(app, b"cancelled", "cancelled.mp4")
    for name in ("queued", "paused", "running"):
        row = hand_in(app, name.encode(), f"{name}.mp4")
        with database.begin() as session:
            session.get_one(AnalysisRow, row.id).state = State(name)
    with database.begin() as session:
        session.get_one(AnalysisRow, other.id).state = State.CANCELLED
    later(DAYS - 0.1)
    assert retention.delete_due(database, limited) == 0
    later(DAYS + 0.1)
    assert retention.delete_due(database, limited) == 2
    assert files(database) == {"queued.mp4", "paused.mp4", "running.mp4"}
    assert not folders.result(done.id).exists() and not folders.exhibit(done.exhibit.sha256).exists()
    deleted = entries(app, "deletion")
    assert {entry["name"] for entry in deleted} == {"done.mp4", "cancelled.mp4"}
    assert {(entry["reason"], entry["actor"]) for entry in deleted} == {(REASON, "reelproof")}
    assert retention.delete_due(database, limited) == 0


def test_open_cases_stay_and_closed_ones_are_purged(app, limited, database, later):
    numbers = {name: another(app, name, closed=name != "open") for name in ("open", "closed", "reopened")}
    for name, number in numbers.items():
        put(app, finished(app, file=f"{name}.mp4").id, number)
    with database.begin() as session:
        session.get_one(CaseRow, numbers["reopened"]).closed = None
    later(DAYS - 0.1)
    assert retention.delete_due(database, limited) == 0
    later(DAYS + 0.1)
    assert retention.delete_due(database, limited) == 1
    assert files(database) == {"open.mp4", "reopened.mp4"}
    (purge,) = entries(app, "purge")
    (deletion,) = entries(app, "deletion")
    assert (purge["name"], purge["reason"], deletion["reason"]) == ("closed", REASON, REASON)
    later(10_000)
    assert retention.delete_due(database, limited) == 0


def test_what_another_closed_case_needs_stays_until_then(app, limited, database, later):
    number = another(app, "closed later", closed=True)
    inside, outside = finished(app, file="inside.mp4"), finished(app, file="outside.mp4")
    put(app, inside.id, number)
    compared(app, inside, outside)
    with database.begin() as session:
        session.get_one(CaseRow, number).closed = now() + timedelta(days=10)
    later(DAYS + 1)
    assert retention.delete_due(database, limited) == 0
    assert files(database) == {"inside.mp4", "outside.mp4"}
    later(DAYS + 11)
    assert retention.delete_due(database, limited) == 2
    assert files(database) == set()


def test_few_are_deleted_at_once_the_oldest_first(app, limited, database, later, monkeypatch):
    monkeypatch.setattr(retention, "MOST_AT_ONCE", 1)
    for age, name in enumerate(("new", "old")):
        row = finished(app, file=f"{name}.mp4")
        with database.begin() as session:
            session.get_one(AnalysisRow, row.id).finished = now() - timedelta(days=age)
    later(DAYS + 1)
    assert retention.delete_due(database, limited) == 1 and files(database) == {"new.mp4"}
    assert retention.delete_due(database, limited) == 1 and files(database) == set()


def test_operations_list_what_is_due_within_a_week(app, client, database, monkeypatch):
    assert "Nothing is deleted by itself" in client.get("/operations").text
    settings = app.extensions["settings"]
    monkeypatch.setitem(
        app.extensions, "settings", settings.model_copy(update={"retention": timedelta(days=DAYS)})
    )
    finished(app, file="new.mp4")
    page = client.get("/operations").text
    assert "is deleted 30 days after it ended" in page and "Nothing is due within a week." in page
    for age, name in ((DAYS - 6, "soon"), (DAYS - 8, "later")):
        row = finished(app, file=f"{name}.mp4")
        with database.begin() as session:
            session.get_one(AnalysisRow, row.id).finished = now() - timedelta(days=age)
    number = another(app, "K-17/26", closed=True)
    with database.begin() as session:
        session.get_one(CaseRow, number).closed = now() - timedelta(days=DAYS - 1)
    page = client.get("/operations").text
    assert "soon.mp4" in page and "later.mp4" not in page and "new.mp4" not in page
    assert "K-17/26" in page and "to be purged" in page
    with database.begin() as session:
        due = due_retention.due_until(session, timedelta(days=DAYS), now() + due_retention.NOTICE)
    assert [analysis.file for analysis in due.analyses] == ["soon.mp4"]
    assert [(case.id, case.analyses) for case in due.cases] == [(number, 0)]

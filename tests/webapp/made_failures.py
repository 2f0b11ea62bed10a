"""Attempts that fail, watched at the moment in which their row is to say so."""

from __future__ import annotations

from pytest import MonkeyPatch

from webapp.jobs import claims
from webapp.storage.data_folder import Folders


def room_when_failing(monkeypatch: MonkeyPatch, folders: Folders) -> list[bool]:
    """For each row that is marked failed from now on, whether nothing unfinished lay on the disk then."""
    fail, seen = claims.fail_job, []

    def watched(*arguments: object) -> None:
        seen.append(not list(folders.analyses.glob(".*")))
        fail(*arguments)

    monkeypatch.setattr(claims, "fail_job", watched)
    return seen

"""The sample exhibit, added to the library on the first start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from detector.files import ROOT
from detector.process.signals import environment_of_child
from language.translation import gettext
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.errors import UserError
from webapp.exhibits.uploads.exhibits import store_file
from webapp.installed_models import service as model_service
from webapp.jobs import states
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, Milestone, State, now

SAMPLE_ADDED = "sample added"

# Creating the sample takes seconds; if it is not there by then, it failed.
_DEADLINE = timedelta(minutes=3)
_TIME_LIMIT = 120  # seconds; an idle machine takes three
_CREATING = threading.Lock()  # a double click must not create two


def sample_missing(database: Database) -> bool:
    """Tell whether this data folder never had the sample."""
    with database.begin() as session:
        return session.get(Milestone, SAMPLE_ADDED) is None


def is_sample_expected(database: Database, started: datetime) -> bool:
    """Tell whether the sample of the first start, at ``started``, is being made."""
    return now() - started < _DEADLINE and sample_missing(database)


def add_sample(settings: Settings, database: Database, send: Callable[[str], None]) -> None:
    """Create the sample and queue its analysis, unless that was done before."""
    if not sample_missing(database):
        return
    from detector.demo_clip import make_sample  # loads OpenCV

    folders = Folders.of(settings)
    with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".sample.") as folder:
        clip = Path(folder, "sample.mp4")
        make_sample(clip)
        with database.alone() as session:
            if session.get(Milestone, SAMPLE_ADDED) is not None:  # another request was faster
                return
            row = _queue(session, settings, clip)
    send(row.id)


def sample_analysis_id(settings: Settings, database: Database, send: Callable[[str], None]) -> str:
    """Return the id of an analysis of the sample, creating it if necessary.

    Creating the clip takes seconds and a process of its own, because the web process does not load OpenCV.
    Raises :class:`UserError` if that fails.
    """
    folders = Folders.of(settings)
    with _CREATING:
        with database.alone() as session:
            if (existing := _find(session)) is not None:
                return existing.id
            row = _reanalyse(session, folders)
        if row is None:
            with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".sample.") as folder:
                clip = Path(folder, "sample.mp4")
                _create_clip(clip)
                with database.alone() as session:
                    row = _queue(session, settings, clip)
    send(row.id)
    return row.id


def _find(session: Session) -> AnalysisRow | None:
    """Return an analysis of the sample, preferably a finished one."""
    query = (
        select(AnalysisRow)
        .where(
            AnalysisRow.file == SAMPLE_FILE,
            AnalysisRow.owner_id.is_(None),  # excludes people's own files of the same name
            AnalysisRow.case_id.is_(None),
            AnalysisRow.state.in_((State.DONE, State.RUNNING, State.QUEUED)),
        )
        .order_by(case((AnalysisRow.state == State.DONE, 0), else_=1), AnalysisRow.created.desc())
        .limit(1)
    )
    return session.scalar(query)


def _reanalyse(session: Session, folders: Folders) -> AnalysisRow | None:
    """Queue a new analysis of the sample's exhibit, if that still exists."""
    owned = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id.is_not(None))
    query = select(Exhibit).where(Exhibit.name == SAMPLE_FILE, Exhibit.id.not_in(owned))
    exhibit = session.scalar(query.limit(1))
    return _create_analysis(session, folders, exhibit) if exhibit is not None else None


def _queue(session: Session, settings: Settings, clip: Path) -> AnalysisRow:
    folders = Folders.of(settings)
    session.merge(Milestone(name=SAMPLE_ADDED, reached=now()))
    return _create_analysis(session, folders, store_file(session, folders, clip, SAMPLE_FILE, settings.spare))


def _create_analysis(session: Session, folders: Folders, exhibit: Exhibit) -> AnalysisRow:
    model = model_service.default_model(session, folders)
    return states.create_analysis(session, exhibit, SAMPLE_FILE, model)


def _create_clip(clip: Path) -> None:
    try:
        subprocess.run(
            [sys.executable, "-m", "detector", "sample", str(clip)],
            cwd=ROOT,
            env=environment_of_child(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_TIME_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as problem:
        raise UserError(
            500,
            gettext("The sample could not be made."),
            gettext(
                "The messages in the terminal Reelproof runs in say why. You can still upload your own files."
            ),
        ) from problem

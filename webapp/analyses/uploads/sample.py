"""The sample exhibit, added to the library on the first start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from detector.files import ROOT
from detector.process.signals import environment_of_child
from reports.language.translation import gettext
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.analyses.uploads.exhibits import store_file
from webapp.errors import UserError
from webapp.jobs import states
from webapp.models import service as model_service
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, Exhibit, Milestone, State, now

SAMPLE_ADDED = "sample added"

_TIME_LIMIT = 120  # seconds; on an idle machine it takes three
_MAKING = threading.Lock()  # two clicks are one wish


def sample_missing(database: Database) -> bool:
    """Whether this data folder never had the sample."""
    with database.begin() as session:
        return session.get(Milestone, SAMPLE_ADDED) is None


def add_sample(settings: Settings, database: Database, send: Callable[[str], None]) -> None:
    """Make the sample and queue its analysis; does nothing the second time."""
    if not sample_missing(database):
        return
    from detector.demo_clip import make_sample  # brings OpenCV

    folders = Folders.of(settings)
    with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".sample.") as place:
        clip = Path(place, "sample.mp4")
        make_sample(clip)
        with database.alone() as session:
            if session.get(Milestone, SAMPLE_ADDED) is not None:  # somebody asked for it meanwhile
                return
            row = _queue(session, settings, clip)
    send(row.id)


def sample_analysis_id(settings: Settings, database: Database, send: Callable[[str], None]) -> str:
    """Id of an analysis of the sample: one there is, or a new one, of a clip made anew if need be.

    Takes seconds when the clip has to be made, in a process of its own: the web process loads no OpenCV.
    Raises :class:`UserError` if it cannot be made.
    """
    with _MAKING:
        with database.alone() as session:
            if (known := _known(session)) is not None:
                return known.id
            row = _again(session, settings)
        if row is None:
            with tempfile.TemporaryDirectory(dir=Folders.of(settings).analyses, prefix=".sample.") as place:
                clip = Path(place, "sample.mp4")
                _make(clip)
                with database.alone() as session:
                    row = _queue(session, settings, clip)
    send(row.id)
    return row.id


def _known(session: Session) -> AnalysisRow | None:
    """The analysis of the sample to show: a finished one before one on its way."""
    query = (
        select(AnalysisRow)
        .where(
            AnalysisRow.file == SAMPLE_FILE,
            AnalysisRow.owner_id.is_(None),  # else it is somebody's own file that happens to be called so
            AnalysisRow.case_id.is_(None),
            AnalysisRow.state.in_((State.DONE, State.RUNNING, State.QUEUED)),
        )
        .order_by(case((AnalysisRow.state == State.DONE, 0), else_=1), AnalysisRow.created.desc())
        .limit(1)
    )
    return session.scalar(query)


def _again(session: Session, settings: Settings) -> AnalysisRow | None:
    """A new analysis of the sample's exhibit, where that is still here."""
    owned = select(AnalysisRow.exhibit_id).where(AnalysisRow.owner_id.is_not(None))
    query = select(Exhibit).where(Exhibit.name == SAMPLE_FILE, Exhibit.id.not_in(owned))
    exhibit = session.scalar(query.limit(1))
    if exhibit is None:
        return None
    return states.create_analysis(
        session, exhibit, SAMPLE_FILE, model_service.default_model(session, Folders.of(settings))
    )


def _queue(session: Session, settings: Settings, clip: Path) -> AnalysisRow:
    folders = Folders.of(settings)
    session.merge(Milestone(name=SAMPLE_ADDED, reached=now()))
    exhibit = store_file(session, folders, clip, SAMPLE_FILE, settings.spare)
    return states.create_analysis(
        session, exhibit, SAMPLE_FILE, model_service.default_model(session, folders)
    )


def _make(clip: Path) -> None:
    failed = UserError(
        500,
        gettext("The sample could not be made."),
        gettext(
            "The messages in the terminal Reelproof runs in say why. Files of your own can be handed "
            "in as ever."
        ),
    )
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
        raise failed from problem

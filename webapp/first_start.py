"""The sample: on the first start of a data folder the library gets one exhibit by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from webapp import jobs, models
from webapp.database import Database
from webapp.folders import Folders
from webapp.intake import take_in_file
from webapp.settings import Settings
from webapp.tables import Milestone, now

SAMPLE_ADDED = "sample added"
SAMPLE_FILE = "Reelproof sample.mp4"


def sample_missing(database: Database) -> bool:
    """Whether this data folder never had the sample."""
    with database.begin() as session:
        return session.get(Milestone, SAMPLE_ADDED) is None


def add_sample(settings: Settings, database: Database, send: Callable[[str], None]) -> None:
    """Make the sample and queue its analysis; does nothing the second time."""
    if not sample_missing(database):
        return
    from detector.sample import make_sample  # brings OpenCV

    folders = Folders(settings.data)
    with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".sample.") as place:
        clip = Path(place, "sample.mp4")
        make_sample(clip)
        with database.begin() as session:
            # The milestone comes first: of two processes here, the second fails on it and adds nothing.
            session.add(Milestone(name=SAMPLE_ADDED, reached=now()))
            session.flush()
            exhibit = take_in_file(session, folders, clip, SAMPLE_FILE, settings.spare)
            row = jobs.create(session, exhibit, SAMPLE_FILE, models.default(session, folders))
    send(row.id)

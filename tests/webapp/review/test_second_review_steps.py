"""Frame steps of the second reviewer's player."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest
from made_rows import change, row
from second_review_case import Review

from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import Playback
from webapp.storage.data_folder import Folders

pytestmark = pytest.mark.usefixtures("quick_reports")


@pytest.fixture
def steps(lab: Review) -> Callable[[], list[str]]:
    """The step of the second reviewer's buttons, in seconds; the exhibit plays unchanged."""
    plays = Playback("exhibit", "video/mp4", 0.0, 160, 90, "")
    folders = Folders.local(lab.app.extensions["settings"].data)
    folders.playback(lab.row.exhibit.sha256).parent.mkdir(parents=True, exist_ok=True)
    playback.save_playback(folders, lab.row.exhibit.sha256, plays)
    return lambda: re.findall(r'data-step="([^"]+)"', lab.clients["ben"].get(lab.page).text)


def test_buttons_step_by_one_frame(lab: Review, steps: Callable[[], list[str]]) -> None:
    """The made-up exhibit has 30000/1001 frames a second: 0.04 s would show some of them never.

    The analysis is not read for it: that of two hours takes a second or two.
    """
    shutil.rmtree(Folders.local(lab.app.extensions["settings"].data).result(lab.row.id))
    assert steps() == ["-0.033367", "0.033367"]


def test_old_rows_get_a_frame_rate(lab: Review, steps: Callable[[], list[str]]) -> None:
    database = lab.app.extensions["database"]
    change(database, lab.row.id, frame_rate=None)
    assert steps() == ["-0.033367", "0.033367"]
    assert row(database, lab.row.id).frame_rate == "30000/1001"

"""Where the data folder cannot be made."""

from __future__ import annotations

import pytest

from webapp.settings import SettingError, read_settings
from webapp.storage.data_folder import Folders


def test_a_place_that_takes_no_folders_is_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(SettingError, match="^REELPROOF_DATA=/proc/nope cannot be the data folder"):
        Folders.of(read_settings({"REELPROOF_DATA": "/proc/nope"})).create()

"""Thumbnails made by the worker: complete or missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from celery.exceptions import SoftTimeLimitExceeded
from PIL import Image

from detector.sandbox import Limits
from webapp.exhibits.media.previews import make_confined_thumbnail
from webapp.storage.data_folder import Folders


@pytest.fixture
def result(folders: Folders) -> Path:
    place = folders.result("1" * 32)
    place.mkdir()
    return place


def test_thumbnails_appear_atomically(folders, result, tmp_path):
    to, seen = folders.thumbnail(result.name), []
    analysis = build(result, segments=1)
    make_confined_thumbnail(analysis, result, tmp_path, to, Limits(), lambda *_: seen.append(to.exists()))
    with Image.open(to) as picture:
        assert picture.format == "JPEG" and max(picture.size) <= 320
    assert not any(seen) and list(folders.thumbnails.iterdir()) == [to]


def test_failed_thumbnails_leave_no_file(folders, result, tmp_path):
    to, analysis = folders.thumbnail(result.name), build(result, segments=1)

    def over(*_: object) -> None:
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        make_confined_thumbnail(analysis, result, tmp_path, to, Limits(), over)
    assert list(folders.thumbnails.iterdir()) == []
    for picture in result.rglob("*.*"):
        picture.unlink()
    make_confined_thumbnail(analysis, result, tmp_path, to, Limits(), lambda *_: None)
    assert list(folders.thumbnails.iterdir()) == []

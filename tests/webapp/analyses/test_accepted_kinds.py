"""Files that are not media by their first bytes are refused at upload."""

from __future__ import annotations

import io
import re

import pytest
from media_files import ACCEPTED, REFUSED

from detector.files import ROOT
from detector.media import acceptance
from webapp.errors import IntakeError
from webapp.exhibits.uploads import exhibits
from webapp.storage.data_folder import Folders

pytestmark = pytest.mark.real_kinds


def post(client, content: bytes, name: str = "clip.mp4"):
    return client.post("/analyses", data={"file": (io.BytesIO(content), name)})


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00 ftypisom",
        b"\x00\x00\x00\x08wide\x00\x00\x00\x00",
        b"\x00\x01\x00\x00moov....",
        b"\x1aE\xdf\xa3\x01\x00\x00\x00....",
        b"RIFF\x00\x00\x00\x00AVI ",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"\xff\xd8\xff\xe0....JFIF",
        b"\x89PNG\r\n\x1a\n....",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"OggS\x00......",
        b"ID3\x04\x00\x00\x00\x00\x00\x00",
        b"fLaC....",
        b"#!AMR\n....",
        b"caff....",
    ],
)
def test_media_is_accepted_under_any_name(client, sent, head):
    assert post(client, head + b"more", "holiday.txt").status_code == 303
    assert len(sent) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"%PDF-1.7\n%....",
        b"PK\x03\x04........",
        b"<html><body></body>",
        b"<?xml version='1.0'?><svg/>",
        b"#EXTM3U\nhttp://x/y",
        b"ffconcat version 1.0",
        b"\x7fELF\x02\x01\x01....",
        b"MZ..........",
        b"x",
    ],
)
def test_other_files_are_refused_and_removed(app, client, sent, head):
    answer = post(client, head)
    assert answer.status_code == 415
    assert "starts like a file of another kind" in answer.text or "The file is a" in answer.text
    assert exhibits.ACCEPTED_KINDS in answer.text
    folders = Folders.local(app.extensions["settings"].data)
    assert list(folders.incoming.iterdir()) == list(folders.exhibits.iterdir()) == sent == []


def test_output_of_the_engine_is_accepted(sample):
    exhibits.refuse_unsupported_kinds(sample)


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_readable_formats_are_accepted(tmp_path, make):
    exhibits.refuse_unsupported_kinds(make(tmp_path))


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_formats_the_engine_refuses_are_refused(tmp_path, make):
    with pytest.raises(IntakeError):
        exhibits.refuse_unsupported_kinds(make(tmp_path))


def test_all_lists_of_accepted_kinds_are_complete(client):
    """A kind added to ``signatures.ACCEPTED`` must be added everywhere."""
    kinds = ", ".join(re.findall(r"\(([^)]*)\)", acceptance.ACCEPTED))
    assert kinds == exhibits.ACCEPTED_KINDS
    page = client.get("/").text
    assert f"| by first bytes: {kinds} |" in (ROOT / "docs" / "security.md").read_text()
    # What a browser's window offers: not every kind does it know by image/* and video/*.
    offered = re.search(r'id="file"[^>]*accept="([^"]*)"', page)
    assert offered and set(offered[1].split(",")) >= (
        acceptance.VIDEO_ENDINGS | acceptance.PHOTO_ENDINGS | acceptance.SOUND_ENDINGS
    )

"""The table of accepted files: the engine reads each, by the demuxers its first bytes allow, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from media_files import ACCEPTED, MOV, PICTURE_BRANDS, REFUSED, Maker, beginning_with, boxed_picture

from detector.errors import MediaError
from detector.media.open import open_media
from detector.media.signatures import HEAD, container_of, is_accepted, refuse_others


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_files_are_read(tmp_path: Path, make: Maker) -> None:
    path = make(tmp_path)
    with open_media(path) as reader:
        found = container_of(path.read_bytes()[:HEAD])
        assert found is not None and reader.container_format in found.demuxers
        assert len(list(reader.frames(5))) >= 1


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_other_files_are_refused(tmp_path: Path, make: Maker) -> None:
    with pytest.raises(MediaError), open_media(make(tmp_path)) as reader:
        list(reader.frames(5))


@pytest.mark.parametrize("first", MOV.boxes)
def test_quicktime_files_without_a_leading_ftyp(tmp_path: Path, first: bytes) -> None:
    assert beginning_with(first, tmp_path).read_bytes()[4:8] == first


@pytest.mark.parametrize("brand", PICTURE_BRANDS)
def test_picture_files_made_of_boxes_are_named(tmp_path: Path, brand: bytes) -> None:
    data = boxed_picture(brand, tmp_path).read_bytes()
    assert not is_accepted(data)
    with pytest.raises(MediaError, match="AVIF or HEIF"):
        refuse_others(data)

"""Names of codecs in sentences."""

from __future__ import annotations

import pytest

from detector.schema.formatting import codec_name


@pytest.mark.parametrize(
    ("codec", "name"),
    [("wmv2", "Windows Media Video 8"), ("gif", "GIF"), ("libdav1d", "AV1"), ("no_such", "no_such")],
)
def test_codecs_of_accepted_files_have_their_makers_names(codec: str, name: str) -> None:
    assert codec_name(codec) == name

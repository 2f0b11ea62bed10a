"""Files that once crashed the engine, as recipes; `make fuzz` finds more."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.bases import suffix
from fuzz.mutations import Recipe

from detector.engine import analyze
from detector.errors import MediaError
from detector.media.open import open_media
from detector.sandbox import AllowedPaths, Limits, Sandbox

FOUND = {
    # The picture's size changes from one frame to the next: scene cuts compared the two.
    "size changes": Recipe(
        "mov-photojpeg",
        [
            ["put", 3364, "09"],
            ["put", 8270, "80"],
            ["put", 780, "04"],
            ["put", 7905, "4b"],
            ["put", 2637, "70"],
            ["put", 1859, "39"],
            ["put", 5569, "70"],
            ["put", 286, "08"],
            ["put", 8479, "04"],
            ["put", 737, "04"],
        ],
    ),
    # Chunks that claim gigabytes: Pillow asked for as much, beyond the memory limit, to look for EXIF.
    "a chunk of two gigabytes": Recipe("png-palette", [["put", 723, "7fffffff"], ["put", 2081, "0000000d"]]),
    "a chunk of four gigabytes": Recipe("png-alpha", [["put", 33, "fffffffe"]]),
    # What a TIFF says its next page is has no size: counting the pages ended in an unexpected error.
    "a page without a size": Recipe("tiff-lzw", [["put", 48431, "ffffff7f"]]),
    # FFmpeg sought a place before the file's beginning when the frame was read again, and Python refused.
    "a place before the beginning": Recipe(
        "wmv-wmv2", [["copy", 7021, "mov-mpeg4", 0, 2902], ["put", 6934, "e7"], ["put", 552, "8c"]]
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_fuzzing_finds_are_examined_or_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix(FOUND[name].base)}"
    path.write_bytes(FOUND[name].bake())
    limits, places = Limits(memory=2_500_000_000), AllowedPaths(readable=(path,))
    with Sandbox(examine, path, limits=limits, places=places) as confined:
        assert confined.result()


def examine(path: Path, _report: object) -> str:
    try:
        with open_media(path) as reader:
            seen = {frame.pts for frame in reader.frames(8)}
            assert {frame.pts for frame in reader.at(seen)} <= seen
        return f"{analyze(path).coverage.frames_sampled} frames"
    except MediaError as refused:
        return str(refused)

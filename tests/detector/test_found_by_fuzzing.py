"""Files that once made the engine fail in a way nobody foresaw, as recipes; `make fuzz` finds more."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.bases import suffix
from fuzz.mutations import Recipe

from detector.engine import analyze
from detector.errors import MediaError
from detector.models import LoadedModel

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
}


@pytest.mark.parametrize("name", FOUND)
def test_is_examined_or_refused_in_words(name: str, model: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix(FOUND[name].base)}"
    path.write_bytes(FOUND[name].bake())
    try:
        assert analyze(path, model=model).coverage.frames_sampled
    except MediaError as refused:
        assert str(refused)

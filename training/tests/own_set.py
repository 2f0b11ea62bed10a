"""Data sets of one's own, made for tests: a recipe, pictures and clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from clips import write_clip
from made_faces import crop, encoded

from training.recipe import DEFAULT_RECIPE, Config, SetConfig, read_config

SIZE = 64
LEVELS = {"real": (40, 60, 80), "fake": (140, 160)}  # of the clips in `videos`


def recipe(frames: int = 10, streamed: bool = False, fake_share: float = 0.5, **changes: object) -> Config:
    own_set = SetConfig(frames=frames, streamed=streamed, fake_share=fake_share)
    tiny = {"mix": None, "set": own_set, "size": SIZE, "samples": 60, "batch": 4, "seed": 1, "hidden": 0.0}
    return read_config(DEFAULT_RECIPE).model_copy(update=tiny | changes)


def put(path: Path, seed: int, fake: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(crop(seed, fake)))


def clip(path: Path, level: int, frames: int = 6) -> None:
    """Its frames brighten by two levels each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, [np.full((96, 160, 3), level + 2 * i, np.uint8) for i in range(frames)])

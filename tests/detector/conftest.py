"""What several tests of the engine share: the shipped model, a photograph, the sample clip analysed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import Analysed
from hypothesis import settings

from detector.models.loaded import LoadedModel, load_model
from detector.schema.analysis import Analysis, Parameters
from detector.scoring.scorer import Scorer

# The machine may be busy, and a failure must be there for the next person too.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    """The shipped model."""
    return load_model()


@pytest.fixture(scope="session")
def scorer(model: LoadedModel) -> Scorer:
    return Scorer(model)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """A portrait, 512 px square, RGB, read-only; the face 88 px wide."""
    import skimage.data

    picture = skimage.data.astronaut()
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration clip."""
    from detector.demo_clip import make_sample

    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    make_sample(path)
    return path


@pytest.fixture(scope="session")
def analysed_sample(
    sample: Path, model: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> Analysed:  # fmt: skip
    """The demonstration clip, analysed with the shipped model and the default settings."""
    from detector.engine import analyze

    folder = tmp_path_factory.mktemp("sample-analysis")
    progress: list[tuple[str, float]] = []
    analysis = analyze(
        sample, model=model, images=folder, progress=lambda stage, done: progress.append((stage, done))
    )
    return Analysed(sample, folder, analysis, tuple(progress))


@pytest.fixture(scope="session")
def sampled_alone(sample: Path, model: LoadedModel) -> Analysis:
    """The demonstration clip as its sampled frames alone show it."""
    from detector.engine import analyze

    return analyze(sample, model=model, parameters=Parameters(edge_window=0))

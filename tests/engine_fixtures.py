"""Fixtures of tests of the engine and of training: the shipped model, a photograph, the sample clip."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from engine_clips import room
from run_cache import made_once

from detector.models.loaded import LoadedModel, load_model
from detector.schema.analysis import Analysis, Parameters
from detector.scoring.scorer import Scorer

_PICKLED = "analysis.pickle"


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
def portrait(astronaut: np.ndarray) -> np.ndarray:
    """Head and shoulders; the face is 44 % of the width."""
    return np.ascontiguousarray(astronaut[20:220, 125:325])


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("still") / "astronaut.png"
    assert cv2.imwrite(str(path), astronaut[:, :, ::-1])
    return path


@pytest.fixture(scope="session")
def scan(model: LoadedModel) -> LoadedModel:
    """The shipped model without its second look, which costs ten times as much as the rest of such a clip."""
    return model.alone


@pytest.fixture(scope="session")
def fused(model: LoadedModel) -> LoadedModel:
    """The shipped model with a small network for its second look, which explains a peak in no time."""
    import torch
    from second_looks import Says, with_second_look

    torch.manual_seed(0)
    return with_second_look(model, Says((3.0, -9.0, -9.0, -9.0), unsteady=True).eval())


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """Two seconds of one usable face that moves a little."""
    path = tmp_path_factory.mktemp("talking") / "talking.mp4"
    return write_clip(path, [room(portrait, side=200, x=40 + i // 2) for i in range(50)])


def _analysed(folder: Path, sample: Path, parameters: Parameters) -> None:
    from detector.engine import analyze

    analysis = analyze(sample, model=load_model(), parameters=parameters)
    (folder / _PICKLED).write_bytes(pickle.dumps(analysis))


@pytest.fixture(scope="session")
def scanned_alone(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The demonstration clip as its sampled frames alone show it to the scan's network.

    Live video and recordings are judged so, without a second look.
    """
    parameters = Parameters(edge_window=0, second_look=0)
    folder = made_once(tmp_path_factory, "scanned-alone", lambda to: _analysed(to, sample, parameters))
    analysis: Analysis = pickle.loads((folder / _PICKLED).read_bytes())
    return analysis


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from onnx_models import put  # imports torch

    return put(tmp_path_factory.mktemp("model"), "tiny", temperature=0.02)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    """Labelled pictures, and a clip of each label."""
    folder = tmp_path_factory.mktemp("material")
    for label, gain in (("real", 0.8), ("fake", 1.0)):
        face = np.clip(astronaut * gain, 0, 255).astype(np.uint8)
        (folder / label).mkdir()
        frames = [room(face, 640, 480, 400, 110 + number % 6) for number in range(20)]
        write_clip(folder / label / f"{label}.mp4", frames, rate=25)
        assert cv2.imwrite(str(folder / label / f"{label}.png"), room(face, 640, 480, 400)[:, :, ::-1])
    return folder

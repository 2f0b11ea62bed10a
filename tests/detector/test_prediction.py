"""A path in, a probability out: for other people's benchmarks."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import PIL.Image
import pytest

import detector
from detector import analyze, predict
from detector.batch.run import BatchRun
from detector.errors import NotOpenedError, ParameterError
from detector.prediction import probability_of
from detector.schema.analysis import Parameters
from detector.segments.explained_peaks import PeakExplainer


@pytest.mark.parametrize(
    ("line", "probability"),
    [
        ({"probability": 0.2, "voice": {"probability": 0.8}}, 0.8),
        ({"probability": 0.9, "voice": {"probability": 0.8}}, 0.9),
        ({"probability": 0.2, "voice": {"probability": None}}, 0.2),
        ({"probability": None, "voice": {"probability": 0.1}}, 0.1),
        ({"probability": 0.0, "voice": None}, 0.0),
        ({"probability": None, "voice": None}, 0.5),
        ({"error": "The file cannot be read."}, 0.5),
    ],
)
def test_the_higher_probability_counts(line: dict, probability: float) -> None:
    assert probability_of(line) == probability


def test_a_path_without_a_file_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.mp4", tmp_path):
        with pytest.raises(NotOpenedError, match="no file"):
            predict(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A portrait, a picture of nobody with an odd name, and a file that is none."""
    import skimage.data

    folder = tmp_path_factory.mktemp("files")
    portrait, nobody, broken = folder / "portrait.jpg", folder / "line\nbreak é.png", folder / "broken.mp4"
    PIL.Image.fromarray(skimage.data.astronaut()).save(portrait, quality=95)
    PIL.Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(nobody)
    broken.write_bytes(b"nothing")
    return [portrait, nobody, broken]


def test_files_are_predicted_by_one_process(files: list[Path]) -> None:
    with ThreadPoolExecutor(2) as threads:
        portrait, *others = threads.map(predict, map(str, files))
    assert type(portrait) is float and 0 < portrait < 1 and portrait != 0.5
    assert others == [0.5, 0.5]
    process = detector.prediction._server._process
    assert process is not None and process.poll() is None
    # A forked process starts its own.
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as forked:
        assert forked.submit(predict, files[1]).result() == 0.5
    assert process.poll() is None and predict(files[1]) == 0.5
    process.send_signal(signal.SIGKILL)  # as for want of memory: one file is lost, not the benchmark
    process.wait()
    assert predict(files[0]) == 0.5


def test_importing_it_loads_nothing() -> None:
    code = "import sys; from detector import predict; print('torch' in sys.modules or 'av' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_without_explanation_all_but_the_peaks_is_the_same(files: list[Path]) -> None:
    flag_all = Parameters(enter_threshold=0.02, exit_threshold=0.01, minimum_face=20.0, second_look=0)
    explained = analyze(files[0], parameters=flag_all)
    with mock.patch.object(PeakExplainer, "explain", side_effect=AssertionError):
        bare = analyze(files[0], parameters=flag_all, explain=False)
    assert explained.segments[0].peaks and not bare.segments[0].peaks
    without = [segment.model_copy(update={"peaks": (), "calm": None}) for segment in explained.segments]
    assert list(bare.segments) == without
    assert bare.persons == explained.persons and bare.probability == explained.probability
    assert (bare.verdict, bare.reason, bare.stability) == (
        explained.verdict,
        explained.reason,
        explained.stability,
    )


def test_score_explains_only_if_asked(files: list[Path]) -> None:
    run = BatchRun(files[:1], None, Parameters(), crops=True, explain=True)
    with pytest.raises(ParameterError, match="--explain"):
        next(run.lines())
    flagged = Parameters(enter_threshold=0.02, exit_threshold=0.01, minimum_face=20.0, second_look=0)
    (line,) = BatchRun(files[:1], None, flagged, workers=1).lines()
    (explained,) = BatchRun(files[:1], None, flagged, workers=1, explain=True).lines()
    assert explained.pop("peaks")[0]["check"]["drop_highlight"] is not None and "peaks" not in line
    assert line | {"seconds": 0} == explained | {"seconds": 0}

"""What processes import, and when: torch only where something is explained, and nothing that tells others.

By what is imported, not by the clock: a busy machine is slow, but imports no more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_speech import babble
from sounds import write_film, write_wave

from detector.backends import selection as backends
from detector.files import ROOT


@pytest.fixture(autouse=True)
def _free_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backends.BACKEND_VARIABLE, "")


def imported_by(*arguments: str) -> set[str]:
    """The modules that a command of ``python -m detector`` has imported when it ends."""
    code = (
        "import sys\n"
        "from cli.engine.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write('\\n' + ' '.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture(scope="module")
def ready() -> dict[str, Any]:
    """What a process tells of itself that has all ready to analyse and explain, and imports more then."""
    code = """
import json, sys
from pathlib import Path
from detector.engine import preload, preload_heatmaps
loaded = preload()
told = {
    "modules_at_first": sorted(sys.modules),
    "threads": [
        line
        for status in Path("/proc/self/task").glob("*/status")
        for line in status.read_text().splitlines()
        if "Cpus_allowed_list" in line
    ]
}
preload_heatmaps(loaded)
told["modules_to_explain"] = sorted(sys.modules)
import torch
disable = torch.compiler.disable
import detector.explain.grad_cam
loaded.make_networks()
told |= {"modules": sorted(sys.modules), "disable_kept": torch.compiler.disable is disable}
import torch._dynamo.utils
told["disable_works"] = torch.compiler.disable(len)([1, 2]) == 2
from matplotlib.lines import Line2D
told["lines_are_classes"] = isinstance(Line2D, type)
print(json.dumps(told))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    state: dict[str, Any] = json.loads(done.stdout)
    return state


@pytest.fixture(scope="module")
def of_scored_crops(still: Path) -> set[str]:
    """The modules imported to score a photo by a few crops."""
    return imported_by("score", "--crops", str(still), "--backend", "openvino")


def test_help_imports_almost_nothing() -> None:
    heavy = {"torch", "numpy", "cv2", "av", "pydantic", "openvino", "onnx", "scipy", "PIL", "tqdm"}
    assert not imported_by("--help") & heavy


def test_photo_without_finding_does_not_import_torch(still: Path, of_scored_crops: set[str]) -> None:
    if backends.gpu_is_here():
        pytest.skip("torch scores where there is a GPU")
    modules = imported_by("score", str(still))
    assert not modules & {"torch", "timm", "torchvision", "matplotlib", "sklearn", "pytorch_grad_cam"}
    assert "openvino" in of_scored_crops and "torch" not in of_scored_crops


def test_a_film_with_speech_does_not_import_torch(tmp_path: Path, talking: Path) -> None:
    """Faces, voices and marks are judged without it, to the finding that would be explained."""
    if backends.gpu_is_here():
        pytest.skip("torch scores where there is a GPU")
    code = (
        "import sys\n"
        "from detector import analyze\n"
        "analysis = analyze(sys.argv[1], explain=False)\n"
        "print(analysis.coverage.frames_with_usable_face, analysis.voice.speech, analysis.marks.sound)\n"
        "print(*sys.modules)\n"
    )
    film = write_film(tmp_path / "a.mkv", talking, write_wave(tmp_path / "a.wav", babble(2.0)[None]))
    command = [sys.executable, "-c", code, str(film)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    judged, modules = done.stdout.splitlines()
    faces, speech, searched = map(float, judged.split())
    assert faces and speech > 1 and searched == pytest.approx(2, abs=0.1)
    assert not {"torch", "timm", "torchvision", "matplotlib", "pytorch_grad_cam"} & set(modules.split())


def test_torch_is_imported_only_for_explanations() -> None:
    code = (
        "import importlib, sys\n"
        "from detector import sandboxed_engine\n"
        "class Recorded(Exception): pass\n"
        "def sandbox(*what, modules, **others):\n"
        "    for name in modules: importlib.import_module(name)\n"
        "    raise Recorded(' '.join(sorted(sys.modules)))\n"
        "sandboxed_engine.Sandbox = sandbox\n"
        "from pathlib import Path\n"
        "try:\n    sandboxed_engine.analyze_confined(Path('a.mp4'), Path('out'))\n"
        "except Recorded as said:\n    print(said)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert "detector.engine" in modules, done.stderr
    assert "scipy" not in modules, "its optimizers, which follow several faces, took a third of the imports"
    assert not modules & {"torch", "timm", "torchvision", "matplotlib", "sklearn", "pytorch_grad_cam"}


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_confined_commands_can_fork(still: Path) -> None:
    """So that the confined process need not import again what the command has."""
    code = (
        "import sys\n"
        "from detector.process import resources\n"
        "from detector import sandbox as package\n"
        "assert 'numpy' not in sys.modules, 'else nothing is said of what the command imports'\n"
        "def sandbox(*what, modules, **others):\n"
        "    print('numpy' in sys.modules, resources.native_threads())\n"
        "    raise KeyboardInterrupt\n"
        "package.Sandbox = sandbox\n"
        "from cli.engine.main import main\n"
        "main(['analyze', sys.argv[1]])\n"
    )
    threads = {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}
    environment = {key: value for key, value in os.environ.items() if key not in threads}
    command = [sys.executable, "-c", code, str(still)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "True 1\n", done.stderr


def test_a_process_that_is_ready_to_explain_has_no_torch(ready: dict[str, Any]) -> None:
    if backends.gpu_is_here():
        pytest.skip("torch explains where there is a GPU")
    assert "detector.backends.explaining" in ready["modules_to_explain"]
    assert not {"torch", "timm", "pytorch_grad_cam"} & set(ready["modules_to_explain"])


def test_grad_cam_does_not_import_plotting(ready: dict[str, Any]) -> None:
    assert "detector.explain.grad_cam" in ready["modules"]
    assert not {"matplotlib", "sklearn"} & set(ready["modules"]), "loaded"
    assert ready["lines_are_classes"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
def test_parallel_analyses_use_separate_cores(ready: dict[str, Any]) -> None:
    """OpenVINO's threads may run on every core, whichever network they are of."""
    threads = ready["threads"]
    assert len(threads) > 1 and len(set(threads)) == 1, threads


def test_networks_do_not_import_the_compiler(ready: dict[str, Any]) -> None:
    assert "timm" in ready["modules"] and "torch._dynamo" not in ready["modules"]
    assert ready["disable_kept"] and ready["disable_works"]


@pytest.mark.fresh
def test_onnx_runtime_sends_no_telemetry(still: Path, tmp_path: Path) -> None:
    """Its package keeps an identifier in the home folder and reports, unless it is kept from that."""
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [sys.executable, "-m", "detector", "score", "--crops", str(still), "--backend", "onnxruntime"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["verdict"], done.stderr
    assert "telemetry" not in done.stderr
    assert not [path for path in home.rglob("*") if "icrosoft" in path.name or "onnx" in path.name]


def test_openvino_sends_no_telemetry(of_scored_crops: set[str]) -> None:
    """Its package reports that it was imported, unless it is kept from that."""
    loaded = {name for name in of_scored_crops if name.startswith("openvino_telemetry.")}
    assert "openvino" in of_scored_crops and not loaded
    code = "from detector.backends import runtimes; runtimes.import_openvino(); import openvino_telemetry"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "openvino_telemetry" in done.stderr

"""What an analysis says of the machine, and the command that repeats it."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cli.common import parameters_from
from cli.engine.main import argument_parser, main
from detector.environment import (
    ROOT,
    commit,
    describe_software,
    instructions,
    libraries,
    repeat_command,
    source_sha256,
    torch_version,
)
from detector.schema.analysis import Parameters, Software

CHANGED = Parameters(
    sample_rate=4, enter_threshold=0.7, seed=3, minimum_usable_frames=2, maximum_sharpness=1 / 3
)


class Ran:
    """What ran a network, as the facts tell it."""

    name, version, device, precision, threads = "openvino", "1.2.3", "cpu", "float32", 3

    def run(self, crops: np.ndarray) -> np.ndarray:
        return np.zeros(len(crops), np.float32)


def made(given: Parameters, file: str = "clip.mp4") -> Software:
    return describe_software(Ran(), 32, "2026-11-20T00:00:00+00:00", file, "reelproof", given)


@pytest.mark.parametrize("given", [Parameters(), CHANGED])
@pytest.mark.parametrize("file", ["clip.mp4", "-rf ~.mp4", "it's a $(clip) `x`;&.mp4", "näme 日本.mp4"])
def test_command_parses_to_the_same_parameters(given: Parameters, file: str) -> None:
    """As a shell would take it apart; a name is never an option, and nothing in it is run."""
    words = shlex.split(repeat_command(file, "reelproof", given))
    assert words[:3] == ["python", "-m", "detector"]
    options = argument_parser().parse_args(words[3:])
    assert options.file.name == file and options.model == "reelproof" and options.out == Path("again")
    assert parameters_from(options) == given


@pytest.mark.parametrize("model", ["reelproof", "mine.safetensors", "-my $(net).onnx"])
def test_model_names_are_protected(model: str) -> None:
    words = shlex.split(repeat_command("clip.mp4", model, Parameters(), others=[model]))
    options = argument_parser().parse_args(words[3:])
    assert options.model.removeprefix("./") == model and options.also == [options.model]


def test_defaults_are_left_out() -> None:
    assert repeat_command("a.mp4", "reelproof", Parameters()) == (
        "python -m detector analyze a.mp4 --model reelproof --out again"
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed", "write NAME=VALUE. Names are sample_rate"),
        ("speed=3", "write NAME=VALUE"),
        (
            "enter_threshold=0.4",
            "--set exit_threshold: 0.5 must not be above enter_threshold, 0.4. "
            "Set both, as --set enter_threshold=0.4 --set exit_threshold=0.4.",
        ),
        (
            "minimum_sharpness=0.5",
            "--set minimum_sharpness: 0.5 must not be above maximum_sharpness, 0.25. "
            "Set both, as --set maximum_sharpness=0.25 --set minimum_sharpness=0.25.",
        ),
        ("enter_threshold=2", "--set enter_threshold: Input should be less than 1"),
        ("seed=x", "--set seed: Input should be a valid integer"),
    ],
)
def test_wrong_setting_is_reported(capsys: pytest.CaptureFixture[str], setting: str, message: str) -> None:
    assert main(["analyze", "clip.mp4", "--set", setting]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "seed=1", "--set", "seed=2"], "seed is given twice, as 1 and as 2."),
        (["--sample-rate", "4", "--set", "sample_rate=6"], "sample_rate is given twice, as 4.0 and as 6."),
    ],
)
def test_contradicting_settings_are_refused(capsys, options: list[str], message: str) -> None:
    assert main(["analyze", "clip.mp4", *options]) == 2
    assert message in capsys.readouterr().err


def test_repeated_equal_setting_is_accepted() -> None:
    options = argument_parser().parse_args(
        [
            "score",
            "a.mp4",
            "--sample-rate",
            "4",
            "--set",
            "sample_rate=4.0",
            "--set",
            "seed=3",
            "--set",
            "seed=3",
        ]
    )
    assert parameters_from(options) == Parameters(sample_rate=4, seed=3)


def test_versions_of_this_environment() -> None:
    import av
    import numpy
    import torch

    versions = {library.name: library.version for library in libraries()}
    assert versions["numpy"] == numpy.__version__
    assert torch.__version__.startswith(versions["torch"])
    assert versions["FFmpeg"].startswith(av.ffmpeg_version_info)
    assert {"opencv-python", "timm", "torchvision", "av", "c2pa-python", "openvino"} <= set(versions)


def test_software_contains_no_paths_or_host_name() -> None:
    import getpass
    import platform

    facts = made(CHANGED)
    text = facts.model_dump_json()
    assert str(ROOT) not in text and str(Path.home()) not in text
    assert platform.node() not in text or len(platform.node()) < 4
    assert facts.threads and facts.batch == 32 and facts.python and facts.processor
    assert f"/{getpass.getuser()}/" not in text


def test_back_end_is_recorded() -> None:
    facts = made(Parameters())
    assert (facts.backend, facts.precision, facts.threads) == ("OpenVINO 1.2.3", "float32", 3)
    assert facts.command is not None and "--backend" not in facts.command


def test_reduced_precision_is_part_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ran, "name", "openvino-bf16")
    words = shlex.split(made(Parameters()).command or "")
    assert argument_parser().parse_args(words[3:]).backend == "openvino-bf16"


def test_torch_version_and_instructions_match_torch() -> None:
    """Though it need not be imported for that."""
    import torch

    assert torch_version() == torch.__version__
    assert instructions() in (torch.backends.cpu.get_cpu_capability(), None)


def test_commit_matches_git() -> None:
    try:
        revision = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    commit.cache_clear()
    assert commit(ROOT) == revision


class TestCommit:
    NUMBER = "0123456789" * 4

    def test_no_commit_without_git(self, tmp_path: Path) -> None:
        assert commit(tmp_path) is None

    def test_detached(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git/HEAD").write_text(self.NUMBER + "\n")
        assert commit(tmp_path) == self.NUMBER

    def test_packed(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
        (tmp_path / ".git/packed-refs").write_text(f"# pack-refs\n{self.NUMBER} refs/heads/main\n")
        assert commit(tmp_path) == self.NUMBER

    @pytest.mark.parametrize("head", ["", "ref: refs/heads/none", "ref: ../../secret", "not a commit"])
    def test_damaged(self, tmp_path: Path, head: str) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git/HEAD").write_text(head)
        (tmp_path / "secret").write_text("password")
        assert commit(tmp_path) is None


def test_source_hash_as_documented(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.py").write_bytes(b"one\n")
    (tmp_path / "a.py").write_bytes(b"")
    (tmp_path / "b" / "graph.onnx").write_bytes(b"two")
    (tmp_path / "notes.txt").write_text("not counted")
    counted = b"a.py\x000\x00" + b"b/graph.onnx\x003\x00two" + b"b/x.py\x004\x00one\n"
    expected = hashlib.sha256(counted).hexdigest()
    assert source_sha256(tmp_path) == expected
    (tmp_path / "a.py").write_bytes(b"#")
    source_sha256.cache_clear()
    assert source_sha256(tmp_path) != expected
    source_sha256.cache_clear()

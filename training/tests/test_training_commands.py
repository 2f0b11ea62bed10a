"""The commands that train and measure: recipes, the next step, and missing data."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.engine.main import main
from detector.files import ROOT
from detector.models.model_files import DEFAULT_MODEL


def test_train_with_an_invalid_recipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:  # fmt: skip
    (tmp_path / "recipe.toml").write_text("name = 'x'\nspeed = 3\n")
    assert main(["train", str(tmp_path / "recipe.toml"), "--data", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "speed" in line


def test_train_reads_the_documented_own_set_and_names_the_next_step(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shipped recipe with what training/docs/training.md says to put in place of its [mix]."""
    monkeypatch.setattr("training.train.train", lambda *_: tmp_path / "checkpoint")
    card = SimpleNamespace(temperature=1.5, rates=())
    monkeypatch.setattr("training.publish.publish", lambda *_: card)
    shipped = (ROOT / "training/recipes/resnet18.toml").read_text().partition("[mix]")[0]
    match = re.search(
        r"^    \[set\]\n(?:    .+\n)+", (ROOT / "training/docs/training.md").read_text(), re.MULTILINE
    )
    assert match is not None
    recipe = tmp_path / "my.toml"
    recipe.write_text(shipped + match[0])
    assert main(["train", str(recipe), "--data", "videos"]) == 0
    assert "python -m detector evaluate resnet18 DATA" in capsys.readouterr().out
    card.rates = ("measured",)
    assert main(["train", str(recipe), "--data", "videos"]) == 0
    told_again = capsys.readouterr().out
    assert "card is unchanged" in told_again and "measure it" not in told_again


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_missing_data(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:  # fmt: skip
    """One line naming the missing file, no traceback."""
    nowhere = str(tmp_path / "nowhere")
    given = [DEFAULT_MODEL, nowhere] if command == "evaluate" else ["--data", nowhere]
    arguments = [command, *given, "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nowhere" in line

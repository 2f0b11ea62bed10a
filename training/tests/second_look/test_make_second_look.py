"""`make train-second-look` goes on with the step at which it was stopped, and repeats none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from detector.files import ROOT

RUNS = "out/second-look/runs"
STEPS = [
    "prepare",
    "vit tokens",
    "vit upper",
    "vit lower",
    "vit join",
    "vit tokens again",
    "vit upper again",
    "inner tokens",
    "inner heads",
    "inner photographs",
    "inner altered",
    "inner patch-heads",
    "fit",
]
# Says what it was asked for, fails where it is told to, and leaves what the step leaves.
STEP = f"""
run=
case "$*" in *--run*) run="${{*#*--run }}"; run="${{run%% *}}" ;; esac
case "$*" in
  prepare) what=prepare file=out/second-look/patches/dfdc.pickle ;;
  *" fit "*) what=fit file=out/fitted ;;
  *tokens*) what="$run tokens" file={RUNS}/$run/tokens/targets.npy ;;
  *upper*" --of "*|*" upper") what="$run upper" file={RUNS}/$run/upper.pt ;;
  *" lower") what="$run lower" file={RUNS}/$run/lower.pt ;;
  *" join") what="$run join" file={RUNS}/$run/start.pt ;;
  *" heads "*) what="$run heads" file={RUNS}/$run/heads.pt ;;
  *" photographs "*) what="$run photographs" file={RUNS}/$run/photographs.pt ;;
  *" altered "*) what="$run altered" file={RUNS}/$run/altered.pt ;;
  *" patch-heads "*) what="$run patch-heads" file={RUNS}/$run/patch-heads.pt ;;
esac
case "$*" in "--run vit "*start.pt*) what="$what again" ;; esac
echo "$what" >> asked
if [ "$what" = "$(cat stop)" ]; then exit 1; fi
mkdir -p "$(dirname $file)"
echo > $file
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "training").mkdir()
    shutil.copy(ROOT / "training" / "Makefile", tmp_path / "training")
    (tmp_path / "step").write_text(STEP)
    return tmp_path


def asked(folder: Path, stop: str = "") -> list[str]:
    """The steps that were begun, the last of them that at which it is stopped."""
    (folder / "asked").write_text("")
    (folder / "stop").write_text(stop)
    command = ["make", "-s", "-o", ".venv/.ready", "train-second-look", "SECOND_LOOK=sh ./step"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode == 0) == (not stop), done.stderr
    return (folder / "asked").read_text().splitlines()


@pytest.mark.parametrize("stop", STEPS)
def test_it_goes_on_where_it_was_stopped(folder: Path, stop: str) -> None:
    at = STEPS.index(stop)
    assert asked(folder, stop) == STEPS[: at + 1]
    assert asked(folder) == STEPS[at:]
    # Fitting takes what it measured before, and what is fitted is the card's.
    assert asked(folder) == ["fit"]


def test_what_follows_a_step_that_is_done_anew_is_done_anew(folder: Path) -> None:
    asked(folder)
    (folder / RUNS / "inner" / "heads.pt").unlink()
    assert asked(folder) == STEPS[STEPS.index("inner heads") :]
    shutil.rmtree(folder / RUNS / "vit")
    assert asked(folder) == STEPS[1:]

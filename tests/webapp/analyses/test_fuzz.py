"""A few broken files through upload and engine; `make fuzz` sends thousands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fuzz.bases import bases, names
from fuzz.mutations import Recipe, recipe
from fuzz.parts import parts

from detector.files import ROOT


def test_a_sample_of_broken_files(tmp_path):
    """In a process of its own, because confined ones are forked from it and it must have no threads.

    Three that are examined, faces in one of them, and one that is refused.
    """
    chosen = ("--files=4", "--seed=11", "--first=2")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *chosen, "--processes=1", f"--out={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    outcomes = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    assert len(outcomes) == 4 and {"examined", "refused"} == {outcome["kind"] for outcome in outcomes}


def test_two_of_each_kind_through_the_reader():
    command = [sys.executable, "-m", "tests.fuzz.reading", f"--files={2 * len(names())}", "--seed=11"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert ended.returncode == 0 and "faults: 0" in ended.stdout, ended.stdout + ended.stderr


def test_recipes_are_deterministic_and_change_files():
    for number in range(200):
        made = recipe(3, number)
        assert made == recipe(3, number)
        assert Recipe(*json.loads(json.dumps(made))).bake() == made.bake()
    changed = [recipe(3, number).bake() != bases()[recipe(3, number).base] for number in range(200)]
    assert sum(changed) > 190


@pytest.mark.parametrize("name", [name for name in names() if not name.startswith(("gif", "bmp"))])
def test_parts_are_found_in_every_base(name):
    data, spans = bases()[name], parts(name, bases()[name])
    assert len(spans) >= 2
    assert all(0 <= part.start < part.end <= len(data) for part in spans)
    assert all(part.start <= part.size_at < part.end for part in spans)

"""Figures of families left out, under the names that reports read."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from detector.errors import ParameterError
from training.unseen.card import left_out_figures, write_figures


def test_all_and_new_families_have_figures_of_their_own() -> None:
    talking = {"auc": 0.9, "found": 0.6, "families": 4, "clips": 20}
    table = {
        "all": {"kinds": {"talking heads and avatars": talking, "lip-sync": {**talking, "auc": 0.8}}},
        "new": {"kinds": {"talking heads and avatars": {**talking, "found": 0.5}}},
    }
    label = "found where 5 % of unmanipulated clips are flagged"
    assert left_out_figures(table) == {
        "generators left out, talking heads and avatars, AUC": 0.9,
        f"generators left out, talking heads and avatars, {label}": 0.6,
        "generators left out, lip-sync, AUC": 0.8,
        f"generators left out, lip-sync, {label}": 0.6,
        "new generators left out, talking heads and avatars, AUC": 0.9,
        f"new generators left out, talking heads and avatars, {label}": 0.5,
    }


def test_nothing_is_written_before_it_was_measured(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Run the step `evaluate` first"):
        write_figures(argparse.Namespace(out=tmp_path, scan="reelproof"))

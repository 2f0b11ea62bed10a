"""Figures of pages left out, under the names that reports read."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from detector.errors import ParameterError
from training.unseen.card import left_out_figures, write_figures


def test_kinds_have_the_names_that_reports_read() -> None:
    kinds = ("talking heads and avatars", "swaps and reenactment", "text-to-video", "lip-sync")
    measured = {"fused, AUC": 0.8, "altered, AUC": 0.6}
    measured |= {f"manipulated, found at 5 %, {kind}": 0.4 for kind in kinds}
    assert left_out_figures(measured) == {"pages left out, AUC": 0.8} | {
        f"pages left out, {kind}, found where 5 in 100 unmanipulated clips are flagged": 0.4 for kind in kinds
    }


def test_nothing_is_written_before_it_was_measured(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Run the step `evaluate` first"):
        write_figures(argparse.Namespace(out=tmp_path, scan="reelproof"))

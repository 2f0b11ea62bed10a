"""Figures of pages left out, under the names that reports read."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from detector.errors import ParameterError
from training.unseen.card import left_out_figures, write_figures


def test_kinds_have_the_name_that_reports_read() -> None:
    measured = {"fused, AUC": 0.8, "manipulated, found at 5 %, lip-sync": 0.4}
    assert left_out_figures(measured) == {
        "pages left out, fused, AUC": 0.8,
        "pages left out, lip-sync, found where 5 % of unmanipulated clips are flagged": 0.4,
    }


def test_nothing_is_written_before_it_was_measured(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="Run the step `evaluate` first"):
        write_figures(argparse.Namespace(out=tmp_path, scan="reelproof"))

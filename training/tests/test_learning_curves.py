"""Training's history as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detector.errors import ParameterError
from training.train import draw_curves

HISTORY = [
    {
        "seen": 3000 * n,
        "loss": 0.69 / n**0.4,
        "validation_auc": 1 - 0.4 / n**0.6,
        "validation_f1": 0.5 + 0.04 * n,
    }
    for n in range(1, 11)
]


def test_png(tmp_path: Path) -> None:
    draw_curves(HISTORY, tmp_path / "curves.png", "a run")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture is not None and picture.shape == (640, 1600, 3)
    # Both panels hold a line in the first colour, and paper around it.
    blue = np.abs(picture.astype(int) - (0xB2, 0x72, 0x00)).sum(axis=2) < 30
    assert blue[:, :800].sum() > 300 and blue[:, 800:].sum() > 300
    assert (picture == 255).mean() > 0.8


def test_svg_is_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_curves(HISTORY, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    "history",
    [
        HISTORY[:1],
        [{"seen": 100, "loss": 0.5}],
        [{"seen": 100, "validation_auc": 0.5}],
        [
            {"seen": 100, "loss": 0.7, "validation_loss": 0.7},
            {"seen": 200, "loss": 0.6, "validation_eer": 0.1},
        ],
    ],
)
def test_figures_may_be_lacking(tmp_path: Path, history: list[dict[str, float]]) -> None:
    draw_curves(history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no history"):
        draw_curves([], tmp_path / "curves.png")
    with pytest.raises(ParameterError, match=r"\.png or \.svg"):
        draw_curves(HISTORY, tmp_path / "curves.jpg")

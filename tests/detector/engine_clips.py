"""Clips whose answer is known without a network, and settings by which all or nothing is flagged."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

# Everything is flagged: what is tested is the machinery, whatever the weights say.
ALL_FLAGGED: dict[str, Any] = {"enter_threshold": 1e-12, "exit_threshold": 1e-13, "second_look": 2}
NONE_FLAGGED: dict[str, Any] = {"enter_threshold": 1 - 1e-12, "exit_threshold": 0.5}


def room(face: np.ndarray, across: int = 320, down: int = 240, side: int = 128, x: int = 96) -> np.ndarray:
    """``face`` at ``side`` pixels on a grey wall."""
    wall = np.full((down, across, 3), 120, np.uint8)
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    y = (down - side) // 2
    wall[y : y + side, x : x + side] = small
    return wall

"""Clips in which one portrait dissolves into another."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from clips import write_clip
from engine_clips import room

from detector.demo_clip import portraits

OVER = 12  # frames of 25 a second
EACH = 50


def dissolved(path: Path, before: np.ndarray, after: np.ndarray) -> Path:
    """Two seconds of one picture, two of the other, and half a second in between in which they are mixed."""
    shares = np.clip((np.arange(2 * EACH + OVER) - EACH + 1) / (OVER + 1), 0, 1)
    return write_clip(path, [cv2.addWeighted(before, 1 - share, after, share, 0) for share in shares])


def two_heads() -> tuple[np.ndarray, np.ndarray]:
    """Two persons, where a dissolve leaves the face in its place."""
    collins, hopper = portraits()
    return room(collins[0:220, 150:370], side=220, x=50), room(hopper[20:420, 60:460], side=220, x=50)

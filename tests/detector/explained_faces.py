"""Explained faces whose maps are made up."""

from __future__ import annotations

import numpy as np

from detector.explain.heatmaps import Explained


def with_heat(explained: Explained, heat: np.ndarray, **changes: object) -> Explained:
    """``explained`` with another map, and whatever else is changed."""
    return Explained(
        **{**vars(explained), "heat": np.ascontiguousarray(heat, np.float32), **changes}  # type: ignore[arg-type]
    )

"""Means over the faces that were judged, in which frames judged densely weigh no more than sampled ones."""

from __future__ import annotations

import numpy as np

from detector.faces.detections import Detections
from detector.segments.sampling_intervals import mean_per_interval


def mean_logit(detections: Detections, rate: float) -> float:
    """The mean logit; each 1/``rate`` seconds in which any was judged counts alike."""
    return mean_of(detections, "logit", rate)


def mean_of(detections: Detections, name: str, rate: float) -> float:
    """The same of the field ``name``."""
    judged = detections.rows[~np.isnan(detections.rows["logit"])]
    return float(np.mean(mean_per_interval(judged["time"], judged[name], rate)))

"""A copy of an exhibit with the findings drawn into it: boxes, labels, heatmaps, a strip of scores.

from detector.annotated_video import annotate
annotate(exhibit, analysis, out, maps)
"""

from __future__ import annotations

from detector.annotated_video.video import Annotated, annotate

__all__ = ["Annotated", "annotate"]

"""Copy an exhibit with the findings drawn in: boxes, labels, heatmaps and a strip of scores.

from detector.annotated_video import annotate
annotate(exhibit, analysis, out, maps)
"""

from __future__ import annotations

from detector.annotated_video.video import Annotated, annotate

__all__ = ["Annotated", "annotate"]

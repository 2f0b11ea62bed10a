"""A copy of an exhibit with the findings drawn into it: boxes, labels, heatmaps, a strip of scores.

from detector.annotated_video import annotate
annotate(exhibit, analysis, out, maps)

:mod:`~detector.annotated_video.video` has the work: it decodes the exhibit frame by frame, and encodes each
once it is drawn into. :mod:`~detector.annotated_video.layout` says where header, picture and panel stand,
:mod:`~detector.annotated_video.lanes` where each person's face is at a time and what was found of it. By
these :mod:`~detector.annotated_video.panel` draws header and panel, :mod:`~detector.annotated_video.drawing`
boxes, labels and heatmaps over the picture. :mod:`~detector.annotated_video.audio` copies the sound beside
it, undecoded.
"""

from __future__ import annotations

from detector.annotated_video.video import Annotated, annotate

__all__ = ["Annotated", "annotate"]

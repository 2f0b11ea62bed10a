"""Heatmaps of peak frames, and their check by hiding what they highlight.

For :mod:`detector.segments.explained_peaks`, :mod:`~detector.explain.heatmaps` makes them, by
:mod:`~detector.explain.grad_cam`, and has :mod:`~detector.explain.occlusion_check` check them; both hide
parts of crops by :mod:`~detector.explain.occlusion`. :mod:`~detector.explain.overlays` draws them over
frames, in the colours of :mod:`~detector.explain.colours`, and keeps them.
:mod:`~detector.explain.boxed_photo` writes the photograph that reports show, as it is and with its faces
boxed. Which network and which square are explained is decided in :mod:`detector.scoring.explainable`.
"""

"""Heatmaps of peak frames, and their check by hiding what they highlight.

:mod:`~detector.explain.heatmaps` makes and checks them, by :mod:`~detector.explain.grad_cam` and
:mod:`~detector.explain.occlusion`; :mod:`~detector.explain.overlays` draws them over frames and keeps them.
Which network and which square are explained is decided in :mod:`detector.scoring.explainable`.
"""

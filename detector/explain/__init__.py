"""Heatmaps of peak frames, and their check by hiding what they highlight.

:mod:`~detector.explain.heatmaps` makes, checks and draws them, by :mod:`~detector.explain.grad_cam` and
:mod:`~detector.explain.occlusion`. Which network and which square are explained is decided in
:mod:`detector.scoring.explainable`.
"""

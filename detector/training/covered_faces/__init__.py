"""The network that tells covered faces (:mod:`detector.faces.covered`), from pictures to what ships.

Nobody labelled covered faces here: :mod:`~detector.training.covered_faces.covers` draws what covers them on
:mod:`~detector.training.covered_faces.pictures` of bare ones.
"""

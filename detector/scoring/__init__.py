"""From crops to calibrated probabilities: the first pass, and the second look at what it found.

The first pass scores faces of all sampled frames with a fast network, the *scan*, the second
look a few moments of each person with a stronger one, the *second network*. In the order of the work:

- :mod:`~detector.scoring.scorer`: one network on batches of crops, its logits and their calibration.
- :mod:`~detector.scoring.first_pass`: finds, follows and scores the faces of each sampled frame.
- :mod:`~detector.scoring.second_look`: a stronger network at a few moments of each person, and in further
  views of them where that is near a threshold; gives the stability.
- :mod:`~detector.scoring.fusion` makes one logit of both networks.
- :mod:`~detector.scoring.explainable`: which network, and which square of the face, a heatmap has to
  explain.

:mod:`~detector.scoring.single_crops` scores crops that come without a frame. Segments are made of scores
in :mod:`detector.segments`.
"""

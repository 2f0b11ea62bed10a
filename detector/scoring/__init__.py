"""From crops to calibrated probabilities: the first pass, and the second look at what it found.

The first pass scores faces of all sampled frames with a fast network, the *scan*, the second
look a few moments of each person with a stronger one, the *second network*. In the order of the work:

- :mod:`~detector.scoring.scorer`: one network on batches of crops, its logits and their calibration.
- :mod:`~detector.scoring.first_pass`: finds, follows and scores the faces of each sampled frame. Their crops
  wait in a :mod:`~detector.scoring.crop_queue`; :mod:`~detector.scoring.coarse_to_fine` says which of a
  track's faces the network need not see, and :mod:`~detector.scoring.moments` keeps the pixels of a few
  faces of each track for the second look.
- :mod:`~detector.scoring.second_look`: a stronger network (:mod:`~detector.scoring.second_network`) at these
  moments, person by person, begun by ``look_again``. :mod:`~detector.scoring.person_looker` chooses the
  moments, :mod:`~detector.scoring.person_look` is what was found of one person,
  :mod:`~detector.scoring.fusion` makes one logit of both networks, :mod:`~detector.scoring.contrast`
  finds stretches that stand out from the rest of their track, and
  :mod:`~detector.scoring.fused_scorer` is the scorer from there on.
- :mod:`~detector.scoring.stability`: where that is near a threshold, the same moments are looked at
  mirrored, shifted, scaled and re-encoded (:mod:`~detector.scoring.views`); gives the stability.
- :mod:`~detector.scoring.explainable`: which network, and which square of the face, a heatmap has to
  explain.

:mod:`~detector.scoring.single_crops` scores crops that come without a frame. Segments are made of scores
in :mod:`detector.segments`.
"""

"""The second look: a stronger network at a few moments of each person.

- :mod:`~detector.scoring.second_look.second_look` begins it (``look_again``), person by person.
- :mod:`~detector.scoring.second_look.person_looker` chooses the moments, which
  :mod:`~detector.scoring.second_look.second_network` sees;
  :mod:`~detector.scoring.second_look.person_look` is what was found of one person, and
  :mod:`~detector.scoring.second_look.contrast` finds stretches that stand out from the rest of their track.
- :mod:`~detector.scoring.second_look.stability`: where that is near a threshold, the same moments are looked
  at mirrored, shifted, scaled and re-encoded (:mod:`~detector.scoring.second_look.views`); gives the
  stability.
- :mod:`~detector.scoring.second_look.fused_scorer` is the scorer from there on.
"""

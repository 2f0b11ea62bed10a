"""The first pass: the faces of all sampled frames, scored by the scan.

:mod:`~detector.scoring.first_pass.first_pass` finds, follows and scores the faces of each sampled frame.
Their crops wait in a :mod:`~detector.scoring.first_pass.crop_queue`;
:mod:`~detector.scoring.first_pass.coarse_to_fine` says which of a track's faces the network need not see, and
:mod:`~detector.scoring.first_pass.moments` keeps the pixels of a few faces of each track for the second look.
"""

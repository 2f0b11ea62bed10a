"""Measuring models: figures, pages, the leaderboard.

:mod:`.calibrate` fits a model's calibration of segments and exhibits, :mod:`.evaluate` measures it and writes
page and card, :mod:`.leaderboard` compares all models on the same data. They take what is measured from
``material``, count by ``figures`` and keep what they found in ``outcome``. ``comparison``,
``fingerprints`` and :mod:`.tracks` are programs of their own: for comparisons with a reference, for copies
found again, and for tracks that are joined to persons.
"""

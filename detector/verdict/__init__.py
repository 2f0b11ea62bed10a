"""What the findings amount to, within which validated domain, and how reproducible they are.

:mod:`~detector.verdict.judgement` goes from scored faces to a verdict, for each model of an analysis.
:mod:`~detector.verdict.verdict` decides, :mod:`~detector.verdict.left_open` says what leaves a verdict open,
:mod:`~detector.verdict.reasons` has the words of the outcome and :mod:`~detector.verdict.not_seen` those of
what of the file was not looked at. They rest on what was examined (:mod:`~detector.verdict.coverage`) and on
persons whose scores hold in other views (:mod:`~detector.verdict.stability`) and who move
(:mod:`~detector.verdict.motion`).
How an analysis is held against one made once more: :mod:`~detector.verdict.reproducibility`.
:mod:`~detector.verdict.who_counts` says whose figures are the exhibit's, :mod:`~detector.verdict.kinds`
which kind of manipulation was found, :mod:`~detector.verdict.joint` what several models decide together.
"""

"""What the findings amount to, within which validated domain, and how reproducible they are.

:mod:`~detector.model_findings` goes from scored faces to a verdict, for each model of an analysis.
:mod:`~detector.verdict.verdict` decides, :mod:`~detector.verdict.left_open` says what leaves a verdict open,
:mod:`~detector.verdict.reasons` has the words of the outcome and :mod:`~detector.verdict.not_seen` those of
what of the file was not looked at. They rest on what was examined
(:mod:`~detector.verdict.coverage`, :mod:`~detector.verdict.judged_share`) and on persons whose scores hold in
other views (:mod:`~detector.verdict.finding_basis`) and who move (:mod:`~detector.verdict.motion`); who is
flagged by that, :mod:`~detector.verdict.flagged` tells.
:mod:`~detector.verdict.who_counts` says whose figures are the exhibit's, and
:mod:`~detector.verdict.averaged_odds` what many faces of a photograph amount to;
:mod:`~detector.verdict.whose_figure` which person and segment the exhibit's probability is of,
:mod:`~detector.verdict.kinds` which kind of manipulation was found, :mod:`~detector.verdict.joint` what
several models decide together, :mod:`~detector.verdict.validated_domain` whether the exhibit is of the kind
that the model was measured on.
How an analysis is held against one made once more: :mod:`~detector.verdict.reproducibility`; what of it
follows from its other fields is held against these in :mod:`~detector.verdict.derived_fields`.
"""

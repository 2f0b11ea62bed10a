"""Whether an analysis made once more agrees with the recorded one.

:mod:`~detector.verdict.reproducibility.agreement` compares scores and findings, within a
:mod:`~detector.verdict.reproducibility.tolerance`. What findings rest on
(:mod:`~detector.verdict.reproducibility.grounds`, of segments and peaks
:mod:`~detector.verdict.reproducibility.segments`) is compared where one version of the engine made both.
:mod:`~detector.verdict.reproducibility.derived_fields` needs neither a second analysis nor the exhibit: it
holds what of an analysis follows from its other fields against these.
"""

"""What the findings amount to, within which validated domain, and how reproducible they are.

:mod:`detector.model_findings` asks for it, for each model of an analysis. In the order of the work:

- :mod:`~detector.verdict.judged_exhibit`: what one model said of an exhibit, of which all rules are asked.
- :mod:`~detector.verdict.examined`: what was examined, and whether that is enough.
- :mod:`~detector.verdict.persons`: on whom a finding may rest, who is flagged, and whose figures are the
  exhibit's.
- :mod:`~detector.verdict.verdict` decides, :mod:`~detector.verdict.left_open` says what leaves a verdict
  open, and :mod:`~detector.verdict.reasons` has the words of the outcome.
- :mod:`~detector.verdict.validated_domain`: whether the exhibit is of the kind that the model was measured
  on.
- :mod:`~detector.verdict.joint`: what several models decide together.
- :mod:`~detector.verdict.reproducibility`: how an analysis is held against one made once more, and what of it
  follows from its other fields against these.
"""

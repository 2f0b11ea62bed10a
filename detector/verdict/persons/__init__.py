"""On whom a finding rests, and whose figures are the exhibit's.

- :mod:`~detector.verdict.persons.finding_basis`: what a finding may rest on, scores that hold in other views,
  of faces in colour and not covered; who is flagged by that, :mod:`~detector.verdict.persons.flagged` tells.
- :mod:`~detector.verdict.persons.whose_figure` says whose figures are the exhibit's,
  :mod:`~detector.verdict.persons.averaged_odds` what many faces of a photograph amount to.
- :mod:`~detector.verdict.persons.kinds`: which kind of manipulation was found.
"""

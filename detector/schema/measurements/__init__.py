"""What an analysis measured.

:mod:`~detector.schema.measurements.coverage` is what it looked at and how good the faces were,
:mod:`~detector.schema.measurements.scores` has the score of each face,
:mod:`~detector.schema.measurements.second_look` what the second look saw.
"""

"""With what an analysis was computed, but for its model.

:mod:`~detector.schema.method.parameters` are those that somebody can choose,
:mod:`~detector.schema.method.software` has versions and machine.
"""

"""From scores to segments.

:mod:`~detector.segments.rules` are the rules over one track's scores and know of nothing else,
:mod:`~detector.segments.findings` applies them to persons, :mod:`~detector.segments.explained_peaks`
makes the published segments with their peak frames, and :mod:`~detector.segments.boundaries` scores every
frame around their ends before that.
"""

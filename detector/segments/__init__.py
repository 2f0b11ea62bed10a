"""From scores to segments.

:mod:`~detector.segments.rules` are the rules over one track's scores and know of nothing else,
:mod:`~detector.segments.findings` applies them to persons and makes the published segments,
:mod:`~detector.segments.boundaries` scores every frame around their ends before that.
"""

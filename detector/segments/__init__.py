"""From scores to segments.

:mod:`~detector.segments.rules` are the rules over the scores of a track, or of a person's tracks, and know of
nothing else, :mod:`~detector.segments.candidates` applies them to persons and makes candidates,
:mod:`~detector.segments.explained_peaks` makes the published segments of these, with their peak frames, and
:mod:`~detector.segments.boundaries` scores every frame around their ends before that.
:mod:`~detector.segments.screen_time` says for how long somebody is seen.
"""

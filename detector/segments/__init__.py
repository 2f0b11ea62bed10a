"""From scores to segments.

:mod:`~detector.segments.rules` are the rules over the scores of a track, or of a person's tracks, and know of
nothing else; :mod:`~detector.segments.candidates` smooths tracks, applies the rules to persons and makes
candidates. :mod:`~detector.segments.explained_peaks` makes the published segments of these, with their peak
frames; :mod:`~detector.segments.boundaries` scores every frame around their ends before that.
:mod:`~detector.segments.frame_seconds` says for how long each sampled frame stands; candidates add up
from that how long a person is seen.
"""

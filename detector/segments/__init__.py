"""From scores to segments.

:mod:`~detector.segments.rules` are the rules over the scores of a track, or of a person's tracks, and know of
nothing else; :mod:`~detector.segments.candidates` smooths tracks and applies the rules to persons.
:mod:`~detector.segments.boundaries` scores every frame around the ends of what reaches the threshold;
:mod:`~detector.segments.explained_peaks` makes published segments of it, with their peak frames, and
:mod:`~detector.segments.published_persons` says who is seen, for how long, and with which figures.
:mod:`~detector.segments.sampling_intervals` tells which scores are of sampled frames, of which each interval
counts once, and :mod:`~detector.segments.frame_seconds` tells for how long each sampled frame stands.
"""

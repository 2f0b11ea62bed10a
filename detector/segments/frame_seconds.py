"""For how long sampled frames stand: of what each shows nothing else is known until the next one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detector.schema.analysis import Span
from detector.segments.sampling_intervals import Floats

_ROUNDING = 1e-6  # of a sampling interval


def seconds_shown(times: Sequence[float], duration: float, rate: float, damaged: Iterable[Span]) -> Floats:
    """(n,): the seconds for which each of the frames sampled at ``times`` stands.

    All alike where one frame was sampled in each 1/``rate`` seconds of the ``duration``. Else each lasts to
    the next one, the last one to the end, without the ``damaged`` spans, in which pictures are missing.
    """
    start = np.asarray(times, np.float64)
    end = np.append(start[1:], max(duration, start[-1]))
    seconds = end - start
    lost = [np.minimum(end, span.end) - np.maximum(start, span.start) for span in damaged]
    for one in lost:
        seconds -= np.maximum(one, 0.0)
    places = np.floor(np.append(start, duration) * rate + _ROUNDING)
    apart = np.diff(places)
    if not lost and apart.max() <= 1 and apart[:-1].all():
        return np.full(len(start), duration / len(start))
    return np.maximum(seconds, 0.0)

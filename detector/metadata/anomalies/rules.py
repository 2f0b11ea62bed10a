"""What in an exhibit's facts deserves a person's look, and why that may mean nothing.

Each is an observation, never a sign of manipulation by itself; nothing of it enters the verdict. What is
not listed was not seen by these rules, which docs/exhibit.md defines.
"""

from __future__ import annotations

from datetime import datetime

from detector.metadata.anomalies.clocks import of_times
from detector.metadata.anomalies.photo import of_photo
from detector.metadata.anomalies.programs import of_programs
from detector.metadata.anomalies.transparency import of_transparency
from detector.metadata.anomalies.video import of_video
from detector.schema.analysis import Media
from detector.schema.metadata import Anomaly, Details


def anomalies_of(media: Media, details: Details, now: datetime, before: float = 0.0) -> tuple[Anomaly, ...]:
    """Anomalies of an exhibit; ``now`` is when it was analysed, with its zone.

    ``before`` is how many seconds of the duration stated for the whole file pass before its first frame.
    """
    found = [*of_programs(details.tags), *of_times(details.times, now), *of_transparency(details)]
    if media.still:
        found += of_photo(details)
    else:
        found += of_video(media, details, before)
    return tuple(found)

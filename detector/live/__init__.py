"""Sources that go on: scored as they come, with bounded delay and memory.

:class:`~detector.live.session.LiveSession` is given frames and says when a segment has closed;
:func:`~detector.live.player.play` brings it the frames of a camera, a stream or a file.
"""

from detector.live.online_segments import Closed, OnlineSegments
from detector.live.player import Played, play
from detector.live.session import LiveSegment, LiveSession
from detector.live.sources import Source, source_of

__all__ = [
    "Closed",
    "LiveSegment",
    "LiveSession",
    "OnlineSegments",
    "Played",
    "Source",
    "play",
    "source_of",
]

"""Sources that go on: scored as they come, with bounded delay and memory.

:class:`~detector.live.session.LiveSession` is given frames and says when a segment has closed;
:func:`~detector.live.player.play` brings it the frames of a camera, a stream or a file
(:mod:`~detector.live.sources`), decoded in a process of their own (:mod:`~detector.live.confined_source`).
:mod:`~detector.live.online_segments` has the rules of segments, one score at a time;
:mod:`~detector.live.publisher` writes :mod:`~detector.live.state` down for a page of another process.
"""

# Nothing is imported here: the web process reads `detector.live.state`, and needs nothing else of it.

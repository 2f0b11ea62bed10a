"""Sources that go on: scored as they come, with bounded delay and memory.

:class:`~detector.live.session.LiveSession` is given frames and says when a segment has closed;
:func:`~detector.live.player.play` brings it the frames of a camera, a stream or a file.
"""

# Nothing is imported here: the web process reads `detector.live.state`, and needs nothing else of it.

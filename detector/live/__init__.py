"""Continuous sources: cameras and streams, scored as frames arrive, with bounded delay and memory."""

# Nothing is imported here: the web process reads `detector.live.state`, and needs nothing else of it.

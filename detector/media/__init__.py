"""From bytes to frames. Begin at :func:`detector.media.open.open_media`, which gives a reader of frames.

What a file says of its making is in `metadata`.
"""

"""From bytes to frames. Start at :func:`detector.media.open.open_media`, which returns a reader of frames."""

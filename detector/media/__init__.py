"""From bytes to frames. Begin at :func:`detector.media.open.open_media`, which gives a reader of frames.

- :mod:`~detector.media.open` looks at the first bytes and the limits (``exhibit``) and at photo files
  (``pictures``), gives FFmpeg the open file, and chooses the reader: :mod:`~detector.media.reader`, or
  :mod:`~detector.media.open` for pictures that FFmpeg reads wrongly or not at all.
- The reader chooses the frames to sample, and yields each :mod:`~detector.media.frame` in order, with its
  time: decoded in ``stream``, made as viewers show it by :mod:`~detector.media.reader` with ``pictures``.
- :mod:`~detector.media.completeness`: once a file was read to its end, whether it held all that it promised.
- :mod:`~detector.media.prefetch`: decoding beside the work on frames that are there already.
- :mod:`~detector.media.encode`: pictures to H.264, for annotated videos, previews and the sample.

What a file says of its making is in `metadata`.
"""

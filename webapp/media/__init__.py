"""What a browser plays and shows of an exhibit: playback copies and thumbnails.

The worker makes both, after the engine's part of an analysis. :mod:`~webapp.media.thumbnails` makes the small
picture. :mod:`~webapp.media.preview_job` has what plays decided in a confined process, by
:mod:`~webapp.media.preview_encoder`: the exhibit itself where :mod:`~webapp.media.browser_support` says so
(of a JPEG by :mod:`~webapp.media.jpeg_orientation`), else a preview, which is encoded then.
:mod:`~webapp.media.playback` keeps what was decided, and is all that pages and bundles read.

What the detector decodes is in `detector.media`.
"""

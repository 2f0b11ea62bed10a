"""What a browser plays and shows of an exhibit: playback copies and thumbnails.

What the detector decodes is in `detector.media`.
"""

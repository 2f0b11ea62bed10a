"""Perceptual fingerprints: what an exhibit looks like in a few numbers a second, to find copies of it.

They are computed from frames that an analysis decodes anyway, or from a file in a confined process, and
compared without the files. Only :mod:`~detector.fingerprint.sampling` needs OpenCV and a decoder.
"""

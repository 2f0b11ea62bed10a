"""Perceptual fingerprints: what an exhibit looks like in a few numbers a second, to find copies of it.

Made from frames that an analysis decodes anyway, compared without the files. What is said about authenticity
is none of this package's business. Only :mod:`~detector.fingerprint.sampling` and
:mod:`~detector.fingerprint.sandboxed` need OpenCV or a decoder; the rest is numpy.
"""

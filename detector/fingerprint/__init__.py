"""Perceptual fingerprints: what an exhibit looks like in a few numbers a second, to find copies of it.

Made from frames that an analysis decodes anyway (:mod:`~detector.fingerprint.sampling`), or of a file alone
in a confined process (:mod:`~detector.fingerprint.fingerprint`), and compared without the files. A
:mod:`~detector.fingerprint.fingerprint` is small pictures, and has their
:mod:`~detector.fingerprint.fingerprint`.
:mod:`~detector.fingerprint.index` finds by codes which others may show the same;
:mod:`~detector.fingerprint.match` compares it with each of these, and says in a
:mod:`~detector.fingerprint.match` what they have in common, and where they differ all the same
(:mod:`~detector.fingerprint.match`).

What is said about authenticity is none of this package's business. Only :mod:`~detector.fingerprint.sampling`
and :mod:`~detector.fingerprint.fingerprint` need OpenCV or a decoder; the rest is numpy.
"""

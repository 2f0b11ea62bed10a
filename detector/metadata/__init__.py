"""Metadata of an exhibit: container and encoding, tags, signatures, declarations and anomalies.

:mod:`~detector.metadata.exhibit` collects all of it for an analysis.
"""

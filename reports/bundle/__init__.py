"""Manifest, archive and review bundle. How they are checked is in `verification`.

:mod:`~reports.bundle.manifest` lists files with their SHA-256, :mod:`~reports.bundle.archive` writes the zip,
:mod:`~reports.bundle.packing` puts a bundle together, :mod:`~reports.bundle.returned` reads one that comes
back. Which files the bundle of an analysis holds is decided in :mod:`webapp.downloads.bundles`.
"""

"""Manifest, archive and review bundle. How they are checked is in `verification`.

Which files the bundle of an analysis holds is decided in :mod:`webapp.downloads.bundles`.
"""

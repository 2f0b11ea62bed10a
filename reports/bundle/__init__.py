"""Manifest, archive and review bundle. How they are checked is in `verification`."""

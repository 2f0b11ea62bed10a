"""Manifest, archive and review bundle. :mod:`reports.verification` checks them."""

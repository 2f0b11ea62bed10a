"""Manifest, archive and review bundle. :mod:`verification` checks them."""

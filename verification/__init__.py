"""Offline verification of bundles, result folders and PDF reports."""

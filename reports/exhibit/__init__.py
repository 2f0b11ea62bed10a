"""Sections on the exhibit: identity, declarations, encoding and metadata."""

"""Annotations of reviewers and the second review: file formats, and the report's sections."""

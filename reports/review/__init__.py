"""Annotations of reviewers and the file they travel in."""

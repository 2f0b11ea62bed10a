"""Sections on persons, flagged segments and the timeline."""

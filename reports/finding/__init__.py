"""Sections on the finding: summary, meaning, other models, and what was not examined."""

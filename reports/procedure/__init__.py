"""Sections on how the exhibit was analysed, and how to repeat the analysis."""

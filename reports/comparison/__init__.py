"""Comparisons with a reference: the files beside an analysis, and the report's section."""

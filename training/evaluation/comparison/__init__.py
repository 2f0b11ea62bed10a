"""Measure comparisons with a reference, and fit their statistic."""

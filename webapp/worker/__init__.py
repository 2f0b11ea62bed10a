"""The processes that run analyses and comparisons."""

"""Blended, animated and degraded examples made from photographs and clips."""

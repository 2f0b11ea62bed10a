"""From scores to segments: rules, boundaries, persons' findings."""

"""From scores to segments: rules over scores, candidates, exact boundaries, explained peaks."""

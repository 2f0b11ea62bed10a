"""Check whether a repeated analysis agrees with the recorded one, and whether an analysis is consistent."""

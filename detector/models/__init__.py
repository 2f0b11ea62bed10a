"""Model cards and weights: reading, validating and loading them."""

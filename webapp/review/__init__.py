"""Review: annotations, the review desk, and the blind second review."""

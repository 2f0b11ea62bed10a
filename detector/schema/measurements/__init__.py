"""What an analysis measured: what it looked at, the scores, and what the second look saw."""

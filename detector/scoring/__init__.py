"""From crops to calibrated probabilities: batches, and the first pass through a file."""

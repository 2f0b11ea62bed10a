"""Examples and data sets."""

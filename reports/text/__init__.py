"""Numbers, dates, probabilities and standard phrases in words."""

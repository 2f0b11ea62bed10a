"""Commands of ``python -m detector``."""

"""Commands of ``python -m reports``."""

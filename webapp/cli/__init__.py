"""Commands of ``python -m webapp COMMAND``."""

"""Commands of `python -m webapp COMMAND`. What they do is in the packages they call."""

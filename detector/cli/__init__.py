"""Commands of `python -m detector`. What they do is in the packages they call."""

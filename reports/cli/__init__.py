"""Commands of `python -m reports`. What they do is in the packages they call."""

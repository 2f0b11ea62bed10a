"""Commands of ``python -m webapp COMMAND``. Their work is done by the packages they call."""

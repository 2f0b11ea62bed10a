"""Format and hash chain of the custody log. Its rows are kept by `webapp.custody`."""

"""A laboratory's own validation: its result as a file, and what analyses quote of it."""

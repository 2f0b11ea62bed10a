"""The picture stream of a file: its packets, statistics of them, and its frames in order of presentation."""

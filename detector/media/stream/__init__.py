"""A video's picture stream: its packets, what can be measured from them, and its frames in order."""

"""The small network that recognises covered faces, from examples to shipping."""

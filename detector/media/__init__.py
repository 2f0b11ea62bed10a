"""From bytes to frames: containers, decoding, cuts, limits.

What a file says of its making is in `metadata`.
"""

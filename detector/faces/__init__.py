"""From frames to faces and tracks: detection, interpolation, crops, quality.

Networks that judge faces are in `networks`.
"""

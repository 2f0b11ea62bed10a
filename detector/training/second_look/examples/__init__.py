"""What the second look and the scan learn from: patches of the research data, and how examples are drawn.

Training belongs in the package above, fits in ``fitting``, figures in ``measuring``.
"""

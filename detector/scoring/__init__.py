"""From face crops to calibrated probabilities, in two passes.

The first pass scores the faces of all sampled frames with a fast network, the *scan*. The second look
scores a few moments of each person with a stronger one, the *second network*.
"""

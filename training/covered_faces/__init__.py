"""The small network that recognises covered faces (:mod:`detector.faces.covered`).

From examples to shipping.
"""

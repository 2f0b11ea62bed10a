"""A laboratory's own validation: labelled material in, ``validation.json`` out.

Whole files go through the engine as it ships, as in a batch run; what training measures of a model before it
ships is in :mod:`detector.training.evaluation`, whose figures and intervals are used here.
"""

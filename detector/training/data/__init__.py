"""What networks are trained and measured on: data sets read, faces found and cut out in them, examples made.

Nothing here trains (:mod:`detector.training`) or measures (:mod:`detector.training.evaluation`).
"""

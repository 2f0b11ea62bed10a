"""Statistics of labelled scores, used by a laboratory's validation and by training.

:mod:`~detector.statistics.metrics` has detection metrics with bootstrap intervals and calibration,
:mod:`~detector.statistics.temporal_metrics` metrics of segments, :mod:`~detector.statistics.error_rates`
error rates with their intervals, and :mod:`~detector.statistics.likelihood_ratios` likelihood ratios."""

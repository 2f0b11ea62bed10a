"""The published results: the models behind docs/*.schema.json, and how their values are formatted.

The roots are :class:`~detector.schema.analysis.Analysis`, :class:`~detector.schema.comparison.Comparison` and
:class:`~detector.schema.laboratory.Validation`.
"""

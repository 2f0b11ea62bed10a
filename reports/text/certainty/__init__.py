"""How sure a figure is: the phrase that stands for it, its interval, and the measured errors behind these.

In this order: :mod:`~reports.text.certainty.verbal_scale`, :mod:`~reports.text.certainty.uncertainty`,
:mod:`~reports.text.certainty.measured`.
"""

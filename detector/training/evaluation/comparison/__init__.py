"""Figures of comparisons with a reference, and the fit of their statistic; the rest of ``evaluation`` is the verdict's."""

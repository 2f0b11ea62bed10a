"""Figures of comparisons with a reference, and the fit of their statistic. Verdicts' lie one folder up."""

"""Figures of comparisons with a reference, and the fit of their statistic. Verdicts' lie one folder up.

:mod:`~detector.training.evaluation.comparison.pairs` are those of which all is known, of clips changed in the
ways of :mod:`~detector.training.evaluation.comparison.variants`; ``__main__`` compares them;
:mod:`~detector.training.evaluation.comparison.fit` fits what tells faces apart.
"""

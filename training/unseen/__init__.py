"""Generators that nobody learnt from: folds of families, caches, training and measuring on them."""

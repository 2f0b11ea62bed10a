"""Generators that nobody learned from: folds of families, caches, training and measuring on them."""

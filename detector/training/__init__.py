"""Recipes, losses and the training loop.

Data sets are in `data`, made examples in `synthesis`, figures in `evaluation`, model cards in `publish`.
"""

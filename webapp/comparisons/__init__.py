"""Comparisons of an exhibit with a reference, and copies among all exhibits."""

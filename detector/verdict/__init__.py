"""Decide the verdict of an exhibit, give its reasons, and check that it is reproducible."""

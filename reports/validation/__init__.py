"""Validations: measured error rates of models, and a laboratory's own validation with plots."""

"""Inputs of a report beside the analysis: case details, pictures, the check of the exhibit."""

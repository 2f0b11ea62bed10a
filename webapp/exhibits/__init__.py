"""Exhibits and their analyses as all features use them: rows, results, annotations, deletion."""

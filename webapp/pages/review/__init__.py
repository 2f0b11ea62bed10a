"""Pages on which findings are examined: review desk, annotations, comparisons of analyses or of files."""

"""What reviewers say of an analysis: annotations, the file they travel in, and the second review."""

"""Pages of one analysis: what it shows, what can be done with it, what is handed out."""

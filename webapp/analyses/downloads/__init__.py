"""Files handed out of an analysis: reports, review bundle and exports, each recorded in the custody log."""

"""From upload to result: uploads, the library, and the pages, files and REST routes of an analysis."""

"""Acts that change something, for pages and API alike. What only reads is in `queries`."""

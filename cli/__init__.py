"""Commands: of the engine, of reports, and of the web app."""

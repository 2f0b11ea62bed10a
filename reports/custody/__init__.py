"""The custody log: file format, verification, and the report's section."""

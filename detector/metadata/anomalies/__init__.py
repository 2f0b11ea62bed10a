"""What in an exhibit's facts deserves a person's look: rules, which docs/exhibit.md defines. No verdict."""

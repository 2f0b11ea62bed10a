"""A laboratory's own validations: made of analyses that are done, kept, and quoted in reports."""

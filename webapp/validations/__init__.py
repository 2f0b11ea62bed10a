"""A laboratory's own validations: made from finished analyses, stored, and quoted in reports."""

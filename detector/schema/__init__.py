"""The published result: dataclasses and models behind docs/analysis.schema.json. No computation."""

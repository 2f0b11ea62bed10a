"""What operations have in common: shapes, pages of lists, idempotency, the OpenAPI document; no operation."""

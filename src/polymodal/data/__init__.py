"""From a table anywhere to batches: schema, split, findings, packs."""

"""Searching: a table's rows on disk, found by anything a model can read."""

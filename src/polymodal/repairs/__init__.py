"""Repairs: what findings allow to be mended, each change recorded and undone again."""

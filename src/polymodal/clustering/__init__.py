"""Clustering: rows that are alike, what each group is about, and how sure that is."""

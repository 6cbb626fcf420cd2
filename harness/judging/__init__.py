"""Evaluation of records: evidence, costs, gates, comparisons and rankings."""

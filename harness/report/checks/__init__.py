"""Checks of published files against the records from which they were made."""

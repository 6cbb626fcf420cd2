"""Judging cells before all their seeds are trained: gates by looks, and races between cells."""

"""Predicts the time and memory that runs need, and plans their order."""

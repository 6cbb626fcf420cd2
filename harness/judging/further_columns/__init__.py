"""Columns that only some leaderboards have: of many classes, sources, or settings that differ."""

"""The parts of the pytest plugin: fixtures, tables, and what pytest and its plugins write."""

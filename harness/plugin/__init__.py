"""The parts of the pytest plugin: fixtures, tables, and the output files of pytest's plugins."""

"""The machine: its hardware, its installed packages, and how busy other programs keep it."""

"""The runs that a session trains, and when they may stop."""

"""The pictures beside a leaderboard, and the plain data that they draw."""

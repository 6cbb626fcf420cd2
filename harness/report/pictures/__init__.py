"""The pictures of a leaderboard, and the plain data behind them."""

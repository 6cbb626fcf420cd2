"""The pictures beside a leaderboard, and the plain data behind them."""

"""What tests build: checkpoints, data, jobs, records, leaderboards, and programs to run."""

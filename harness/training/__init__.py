"""One run: a job, the worker that trains it, and the result that the worker returns."""

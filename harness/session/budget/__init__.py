"""A session with `--budget`: the runs that fit, the end of training, the runs left out."""

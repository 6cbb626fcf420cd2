"""What runs start from: checkpoints, data, the model hub, experiment trackers."""

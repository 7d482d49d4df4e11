"""What the agent does for whoever asks: each use case knows ports and nothing else."""

"""The supervisor: forks the workers, restarts them, stops them, and clears up after those that have died."""

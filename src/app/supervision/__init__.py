"""The supervisor: forks the workers, restarts and stops them, and kills the remaining processes of dead ones."""

"""Where the agent meets the world: one module or folder per technology, none knowing another."""

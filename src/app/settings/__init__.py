"""The settings of the agent: their definition, their sources, and their reference."""

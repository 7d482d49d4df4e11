"""The use cases of the agent: each depends only on ports."""

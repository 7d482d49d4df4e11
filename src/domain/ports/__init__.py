"""The ports: what the use case needs of the world, and what the world may ask of it. Each docstring is a contract."""

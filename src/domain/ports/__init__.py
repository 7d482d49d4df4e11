"""The ports: the interfaces that the use case needs and the ones that it offers. Each docstring is a contract."""

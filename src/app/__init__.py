"""The use case, the policies around it and the dependency injection: the only package that names concrete classes."""

"""The use case, the policies around it and the wiring: the only place that names concrete classes."""

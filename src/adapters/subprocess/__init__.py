"""The outbound adapter: starts processes of this machine, captures their output and ends them."""

"""The outbound adapter: processes of this machine, spawned, captured and brought to an end."""

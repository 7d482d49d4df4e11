"""How commands are started: on the event loop what is known to start quickly, everything else through the starter."""

"""What an operator decides: the settings, where they come from, and how they are explained."""

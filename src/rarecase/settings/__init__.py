"""The settings of the commands, and what is refused among them."""

"""The only client of the Hub."""

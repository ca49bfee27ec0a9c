"""Whether a label can be trusted: what a language model says of it, and what is found out without one."""

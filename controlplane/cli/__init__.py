"""The command line: one module per verb, each a client of the admin API."""

"""The HTTP API over the scheduler: JSON in, JSON out, a token on every request."""

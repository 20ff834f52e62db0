"""The commands: parse, call a job, a use case or a query, print."""

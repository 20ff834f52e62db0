"""The reads: frozen dataclasses that pages, API and commands share."""

"""Message sinks: where closingbell tells the world outside how it goes."""

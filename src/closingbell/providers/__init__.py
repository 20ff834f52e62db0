"""Outside sources of prices and corporate actions."""

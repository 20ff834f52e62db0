"""What other packages test their own parts with; needs pytest, and nothing else in closingbell imports it."""

from closingbell.testing.provider_contract import ProviderContract

__all__ = ["ProviderContract"]

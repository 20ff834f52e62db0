"""The fixtures of the stories."""

from tests.app_fixtures import house, houses, market, no_waits  # noqa: F401

"""The fixtures of the scheduler's tests."""

from tests.app_fixtures import house, houses, market, no_waits  # noqa: F401

"""The fixtures of the fault tests."""

from tests.app_fixtures import house, houses, market, no_waits  # noqa: F401
from tests.faults.run_server import run_server  # noqa: F401

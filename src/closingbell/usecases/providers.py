"""Where prices come from: every provider with its state, for commands and pages."""

from __future__ import annotations

from closingbell.domain.provider_health import ProviderView
from closingbell.jobs.context import JobContext


def list_providers(context: JobContext) -> list[ProviderView]:
    """Every provider with its state, its budget and whether its key is set, the chosen ones first and in order.

    Asks none of them.
    """
    from closingbell.providers.registry import survey_with_means  # noqa: PLC0415  (keeps providers out of start-up)

    return survey_with_means(context.settings, wall=context.wall)

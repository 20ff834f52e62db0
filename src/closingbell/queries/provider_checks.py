"""What the states of the providers mean for whoever looks after the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from closingbell.domain.provider_health import ProviderState, ProviderView
from closingbell.queries.doctor import FAIL, OK, WARN, Check

_USABLE = (ProviderState.UP, ProviderState.RATE_LIMITED)


def judge_providers(views: Sequence[ProviderView], tell: Callable[[datetime], str]) -> list[Check]:
    """One finding for each provider in use; ``tell`` prints an instant."""
    in_use = [view for view in views if view.position is not None]
    none_left = not any(view.state in _USABLE for view in in_use)
    return [_judge(view, view.in_words(tell), none_left=none_left) for view in in_use]


def _judge(view: ProviderView, words: str, *, none_left: bool) -> Check:
    name = f"provider {view.name}"
    if view.state is ProviderState.UP:
        return Check(name, OK, f"up, gives {', '.join(view.capabilities)}")
    if view.state is ProviderState.RATE_LIMITED:
        return Check(name, WARN, words, "wait; jobs do so by themselves")
    message = f"{words} ({view.last_error})" if view.state is ProviderState.DOWN and view.last_error else words
    return Check(name, FAIL if none_left else WARN, message, _way_out(view.state))


def _way_out(state: ProviderState) -> str:
    if state is ProviderState.DOWN:
        return "look at the network, a proxy, or the provider's status"
    if state is ProviderState.BROKEN:
        return "upgrade or remove the package that brings it, or take it out of PRICE_PROVIDERS"
    return "set what is missing, or take it out of PRICE_PROVIDERS"

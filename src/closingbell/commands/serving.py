"""The application under gunicorn."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication

from closingbell.app import create_app
from closingbell.jobs.context import SCHEDULER_EXTENSION


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads; each worker makes the application, and with it a scheduler, after the fork."""

    def __init__(self, address: str, *, workers: int, graceful_timeout_s: int) -> None:
        self._options = {
            "bind": address,
            "workers": workers,
            "threads": 8,
            "graceful_timeout": graceful_timeout_s,
            "preload_app": False,
            # Its own way to steer workers would be one more door to guard.
            "control_socket_disable": True,
            "worker_exit": _end_scheduler,
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand our options to gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of one worker."""
        return create_app(start_scheduler=True)


def _end_scheduler(_server: Any, worker: Any) -> None:
    """Close runs properly when a worker ends; gunicorn leaves without the interpreter's own clean-up."""
    scheduler = worker.wsgi.extensions.get(SCHEDULER_EXTENSION) if getattr(worker, "wsgi", None) else None
    if scheduler is not None:
        scheduler.shutdown()

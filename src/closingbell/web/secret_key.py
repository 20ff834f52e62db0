"""The key that signs sessions: from the settings, or made once and kept beside the database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from closingbell.config import Settings
from closingbell.errors import SettingsError

FILE_NAME = "secret_key"


def load_secret_key(settings: Settings) -> str:
    """SECRET_KEY, or the one in the instance folder, made there for the first time that it is needed."""
    given = settings.secret_key.get_secret_value()
    if given:
        return given
    file = settings.instance_path / FILE_NAME
    try:
        settings.instance_path.mkdir(parents=True, exist_ok=True)
        return _kept(file)
    except OSError as error:
        raise SettingsError(
            f"SECRET_KEY: is empty, and none can be kept in the instance folder ({error.strerror}); set it"
        ) from None


def _kept(file: Path) -> str:
    """The key in ``file``; of two processes that make it at once, the first one's counts for both."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as made:
            made.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = file.read_text(encoding="ascii").strip()
    if len(key) < 32:
        raise SettingsError(f"SECRET_KEY: what stands in {file.name} of the instance folder is too short; remove it")
    return key

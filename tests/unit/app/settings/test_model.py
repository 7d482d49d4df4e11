import dataclasses

import pytest

from execwire.app.settings.model import MIB, Settings


def test_defaults_are_as_documented() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 3000)
    assert settings.max_line == MIB
    assert settings.max_in_flight >= 1024
    assert settings.max_running >= 4096
    assert settings.linger_ms == 200
    assert settings.drain_seconds == 10
    # A tmpfs is memory, and /tmp may be one.
    assert settings.spool_dir == "/var/tmp"


def test_settings_are_immutable() -> None:
    settings = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

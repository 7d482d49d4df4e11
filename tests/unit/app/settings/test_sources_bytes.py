import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execwire.app.settings.sources import ConfigurationError, read_settings
from execwire.app.settings.users import access


@pytest.mark.parametrize(
    "content",
    [
        b"port = " + b"[" * 5000 + b"]" * 5000,
        b"port = " + b"9" * 5000,
        b"port = 0x" + b"f" * 100_000,
        b"port = 1\0",
        b"\0",
        b"port = '\xff'",
        b'host = "a\\u0000b"',
        b'spool_dir = "\\u0000"',
        b'allow_user = ["a\\u0000"]',
        b"x" * 1_000_000,
        b"a = 1\n" * 2,
        b'"\\u001b[31m" = 1',
        b"port = 9999-99-99",
        b"port = nan",
    ],
    ids=lambda content: repr(content[:20]),
)
def test_invalid_file_gives_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "execwire.toml"
    config.write_bytes(content)
    if b"allow_user" in content:
        with pytest.raises(ConfigurationError, match="--allow-user"):
            access(read_settings(config, {}, {}))
    else:
        with pytest.raises(ConfigurationError, match=str(config)) as error:
            read_settings(config, {}, {})
        assert "\n" not in str(error.value)


@given(content=st.binary() | st.text("[]{}\"'=.#\n0123456789abcxu\\\0", max_size=200).map(str.encode))
def test_any_file_gives_settings_or_a_configuration_error(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with contextlib.suppress(ConfigurationError):
            read_settings(Path(file.name), {}, {})

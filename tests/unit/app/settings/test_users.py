import os
import pwd

import pytest

from execwire.adapters.tcp.access import AccessPolicy
from execwire.app.settings import users
from execwire.app.settings.model import Settings
from execwire.app.settings.sources import ConfigurationError
from execwire.app.settings.users import access

OWN = frozenset({os.geteuid()})
UNMAPPED = 65534


@pytest.fixture
def _in_a_user_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "unmapped_user", lambda: UNMAPPED)


def of(*names: str, insecure_bind: bool = False) -> AccessPolicy:
    return access(Settings(allow_user=names, insecure_bind=insecure_bind))


@pytest.fixture(autouse=True)
def _every_user_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "unmapped_user", lambda: None)


def test_agents_own_user_is_allowed_by_default() -> None:
    assert of() == AccessPolicy(OWN)
    assert of(insecure_bind=True) == AccessPolicy(OWN, remote=True)


def test_users_are_allowed_by_name_or_number() -> None:
    someone = pwd.getpwall()[-1]
    assert of(someone.pw_name, "4294967294").users == OWN | {someone.pw_uid, 4294967294}


@pytest.mark.parametrize("names", [["*"], ["0", "*"], ["*", "no-such-user"]])
def test_star_allows_all_users(names: list[str]) -> None:
    assert of(*names).users is None


@pytest.mark.parametrize("name", ["no-such-user", "-1", "", "a\0b", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_unknown_user_is_rejected(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        of(name)
    assert str(error.value) == f"--allow-user {name}: this machine has no such user"


@pytest.mark.parametrize("name", ["4294967295", "99999999999"])
def test_number_out_of_the_range_of_users_is_rejected(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--allow-user {name}: the numbers of users end at 4294967294"):
        of(name)


@pytest.mark.usefixtures("_in_a_user_namespace")
@pytest.mark.parametrize("name", ["65534", "0065534"])
def test_number_of_all_unmapped_users_is_rejected(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"--allow-user {name}: 65534 stands for every user that is not mapped"
    ):
        of(name)


@pytest.mark.usefixtures("_in_a_user_namespace")
def test_agent_run_by_an_unmapped_user_requires_that_all_users_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of() == AccessPolicy(OWN, unmapped=UNMAPPED)
    monkeypatch.setattr(os, "geteuid", lambda: UNMAPPED)
    with pytest.raises(ConfigurationError, match="own user, 65534, stands for every user that is not mapped"):
        of("0")
    assert of("*") == AccessPolicy(None, unmapped=UNMAPPED)

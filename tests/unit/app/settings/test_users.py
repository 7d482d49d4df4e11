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


def test_by_default_the_agents_own_user_is_let_in() -> None:
    assert of() == AccessPolicy(OWN)
    assert of(insecure_bind=True) == AccessPolicy(OWN, remote=True)


def test_users_are_let_in_by_name_and_by_number() -> None:
    someone = pwd.getpwall()[-1]
    assert of(someone.pw_name, "4294967294").users == OWN | {someone.pw_uid, 4294967294}


@pytest.mark.parametrize("names", [["*"], ["0", "*"], ["*", "no-such-user"]])
def test_a_star_lets_in_everybody(names: list[str]) -> None:
    assert of(*names).users is None


@pytest.mark.parametrize("name", ["no-such-user", "-1", "", "a\0b", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_a_user_whom_this_machine_does_not_know_is_named_with_the_option(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        of(name)
    assert str(error.value) == f"--allow-user {name}: this machine has no such user"


@pytest.mark.parametrize("name", ["4294967295", "99999999999"])
def test_a_number_that_is_no_users_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"--allow-user {name}: the numbers of users end at 4294967294"):
        of(name)


@pytest.mark.usefixtures("_in_a_user_namespace")
@pytest.mark.parametrize("name", ["65534", "0065534"])
def test_the_number_that_stands_for_all_who_are_not_mapped_lets_nobody_in(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"--allow-user {name}: 65534 stands for every user that is not mapped"
    ):
        of(name)


@pytest.mark.usefixtures("_in_a_user_namespace")
def test_an_agent_of_that_number_does_not_start_unless_everybody_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of() == AccessPolicy(OWN, unmapped=UNMAPPED)
    monkeypatch.setattr(os, "geteuid", lambda: UNMAPPED)
    with pytest.raises(ConfigurationError, match="own user, 65534, stands for every user that is not mapped"):
        of("0")
    assert of("*") == AccessPolicy(None, unmapped=UNMAPPED)

import os
import pwd

import pytest

from execwire.app.configuration import ConfigurationError
from execwire.app.users import allowed_users

OWN = frozenset({os.geteuid()})


def test_by_default_the_agents_own_user_is_let_in() -> None:
    assert allowed_users(()) == OWN


def test_users_are_let_in_by_name_and_by_number() -> None:
    someone = pwd.getpwall()[-1]
    assert allowed_users([someone.pw_name, "4294967290"]) == OWN | {someone.pw_uid, 4294967290}


@pytest.mark.parametrize("names", [["*"], ["0", "*"], ["*", "no-such-user"]])
def test_a_star_lets_in_everybody(names: list[str]) -> None:
    assert allowed_users(names) is None


@pytest.mark.parametrize("name", ["no-such-user", "-1", "", "a\0b", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_a_user_whom_this_machine_does_not_know_is_named_with_the_option(name: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        allowed_users([name])
    assert str(error.value) == f"--allow-user {name}: this machine has no such user"

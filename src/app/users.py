"""Users by name or number, as an operator writes them."""

import os
import pwd
from collections.abc import Iterable

from .configuration import ConfigurationError

EVERYBODY = "*"


def allowed_users(names: Iterable[str]) -> frozenset[int] | None:
    """Return the users that are let in, the agent's own included; None for everybody.

    Raises ConfigurationError for a name that this machine does not know.
    """
    allowed = {os.geteuid()}
    for name in names:
        if name == EVERYBODY:
            return None
        try:
            allowed.add(int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid)
        except (KeyError, ValueError) as error:
            # ValueError: digits that are no number, a NUL character.
            raise ConfigurationError(f"--allow-user {name}: this machine has no such user") from error
    return frozenset(allowed)

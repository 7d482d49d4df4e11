"""Builds the AccessPolicy from the settings; once, before any worker is started."""

import os
import pwd
from collections.abc import Iterable

from ...adapters.linux.user_namespace import unmapped_user
from ...adapters.tcp.access import AccessPolicy
from .model import Settings
from .sources import ConfigurationError

EVERYBODY = "*"
_LAST_USER = 0xFFFFFFFE
_STANDS_FOR_ALL = "stands for every user that is not mapped into the agent's user namespace (/proc/self/uid_map)"


def access(settings: Settings) -> AccessPolicy:
    """Return the users who may send requests; raises ConfigurationError for unknown or indistinguishable users."""
    unmapped = unmapped_user()
    if EVERYBODY in settings.allow_user:
        return AccessPolicy(None, settings.insecure_bind, unmapped)
    own = os.geteuid()
    if own == unmapped:
        message = (
            f"the agent's own user, {own}, {_STANDS_FOR_ALL}; map the agent's user, or allow all: --allow-user '*'"
        )
        raise ConfigurationError(message)
    return AccessPolicy(_numbers(settings.allow_user, unmapped) | {own}, settings.insecure_bind, unmapped)


def _numbers(names: Iterable[str], unmapped: int | None) -> frozenset[int]:
    return frozenset(_number(name, unmapped) for name in names)


def _number(name: str, unmapped: int | None) -> int:
    try:
        number = int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError) as error:
        # ValueError: digits that int() does not accept, or a NUL character.
        raise ConfigurationError(f"--allow-user {name}: this machine has no such user") from error
    if number > _LAST_USER:
        raise ConfigurationError(f"--allow-user {name}: the numbers of users end at {_LAST_USER}")
    if number == unmapped:
        raise ConfigurationError(f"--allow-user {name}: {number} {_STANDS_FOR_ALL}; map the user, or allow all with *")
    return number

"""Reads how a place is written: ``docker:IMAGE``, ``chroot:DIR`` or ``host``; pure."""

from __future__ import annotations

from typing import NamedTuple


class Where(NamedTuple):
    """A place, as written.

    Attributes:
        kind: ``docker``, ``chroot`` or ``host``.
        name: The image or the directory; empty for the host.
    """

    kind: str
    name: str


class WhereError(ValueError):
    """What names no place."""


def parse_where(text: str) -> Where:
    """Return the place that ``text`` names.

    Raises:
        WhereError: When it names none.
    """
    kind, colon, name = text.partition(":")
    if (kind in ("docker", "chroot") and name) or (kind == "host" and not colon):
        return Where(kind, name)
    raise WhereError(f"is no place, got {text!r}; write docker:IMAGE, chroot:DIR or host")

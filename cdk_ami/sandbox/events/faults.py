"""What goes wrong with deliveries when somebody asks for it: twice, late, never, out of order; the same in every run.

EventBridge promises to deliver at least once, and in no order.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perf.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

REORDER_SECONDS: Final = 1.0
"""How long a delivery is held back for the next to overtake it."""


@dataclass(slots=True, kw_only=True)
class Faults:
    """What happens to deliveries from now on.

    Attributes:
        duplicate: How many times more each is made.
        delay: Seconds by the clock until each is made.
        lose: Share that is never made, from 0 to 1.
        lose_next: How many of the next are never made, whatever ``lose`` is.
        reorder: Whether of each two the second is made first.
        seed: Start of the random numbers that choose what is lost.
    """

    duplicate: int = 0
    delay: float = 0.0
    lose: float = 0.0
    lose_next: int = 0
    reorder: bool = False
    seed: int = 0
    random: Random = field(default_factory=lambda: Random(0), repr=False)  # noqa: S311 - no secret, and repeatable
    held: bool = False

    def is_lost(self) -> bool:
        """Tell whether the next delivery is lost; each answer counts as one."""
        if self.lose_next > 0:
            self.lose_next -= 1
            return True
        return self.lose > 0 and self.random.random() < self.lose

    def wait(self) -> float:
        """Return in how many seconds the next delivery is made; each answer counts as one."""
        self.held = self.reorder and not self.held
        return self.delay + (REORDER_SECONDS if self.held else 0.0)

    def set(self, wanted: dict[str, Any]) -> None:
        """Change what is named and leave the rest."""
        for name, value in wanted.items():
            setattr(self, name, value)
        if "seed" in wanted:
            self.random = Random(self.seed)  # noqa: S311 - no secret, and repeatable

    def clear(self) -> None:
        """Let everything go well again."""
        fresh = Faults()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))

    def shown(self) -> dict[str, Any]:
        """Return the settings."""
        return {name: getattr(self, name) for name in SETTINGS}


SETTINGS: Final = {"duplicate": int, "delay": float, "lose": float, "lose_next": int, "reorder": bool, "seed": int}
"""What one may set, with its type."""

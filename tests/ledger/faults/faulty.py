"""A store around a store: every call of the port may fail, before it did anything or after it did all of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from attending.ledger.store.memory import READS, Fault
from attending.ledger.store.port import Store, StoreFault

WRITES = ("begin", "apply", "commit", "rollback", "recover")
CALLS = (*WRITES, *sorted(READS))


class _Faulty:
    def __init__(self, inner: Store, fault: Callable[[str], Fault]) -> None:
        self._inner = inner
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._inner, name)
        if name not in CALLS:
            return target

        def call(*arguments: Any) -> Any:
            answer = self.fault(name)
            if answer is Fault.LOST:
                raise StoreFault(f"fault at {name}")
            result = target(*arguments)
            if answer is Fault.KEPT:
                raise StoreFault(f"fault after {name}")
            return result

        return call


def faulty(inner: Store, fault: Callable[[str], Fault]) -> Store:
    """`inner`, whose calls of the port ask `fault(name)` what becomes of them."""
    return cast(Store, _Faulty(inner, fault))

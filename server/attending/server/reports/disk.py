"""A disk that takes no more, while the files of reports and exports are made: an answer with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import errorcode
from typing import Final

import structlog
from attending.server.errors import Unavailable

log = structlog.get_logger()

RETRY_SECONDS: Final = 30.0


@contextmanager
def written() -> Iterator[None]:
    """What is written in here is there, or this raises Unavailable (REPORT_NOT_MADE); the log names the cause."""
    try:
        yield
    except TimeoutError:  # the caller's time, and no disk's
        raise
    except OSError as err:
        # Without the text of the error, which names files.
        log.warning("reports.not_written", error_type=errorcode.get(err.errno or 0, "OSError"))
        raise Unavailable("REPORT_NOT_MADE", retry_after_seconds=RETRY_SECONDS) from None

"""Notices by mail: one short plain text a notice, to a list of mailboxes, over TLS (RFC 3207, RFC 8314).

What is sent again has the same `Message-ID`. Every value comes from a notice, whose values have no space and no line
break, or from the configuration, which refuses them; the library refuses a header with one all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import aiosmtplib
from attending.server.config import RecipientsSection, SmtpSection
from attending.server.notices.delivery import TIMEOUT, UNREACHABLE, NotDelivered, read_secret
from attending.server.notices.notice import TEST, Notice, link, notice_of
from attending.server.outside.tls import tls_of

_WORDS: Final = {
    "item.held": "An item waits for review",
    "item.escalated": "An item was escalated",
    "item.reassigned": "An item was handed over",
    "item.sla_near": "An item is due soon",
    "item.sla_over": "An item is overdue",
    "item.expired": "An item expired without a decision",
    "recall.opened": "A released text was withdrawn: take notice of the recall",
    "break_glass.used": "Break-glass was used: a review is due",
    "break_glass.review_near": "The review of a break-glass is due soon",
    "break_glass.review_over": "The review of a break-glass is overdue",
    "oversight.alarm": "An alarm about how texts are reviewed",
    "report.due": "A report of a schedule waits for its signature",
    "system.halted": "Inference was halted",
    "system.resumed": "Inference was resumed",
    TEST: "A test: nothing has happened",
}


def message_of(
    notice: Notice, sender: str, to: list[str], console: str | None, now: datetime
) -> EmailMessage:
    """The mail. ValueError where a header would hold a line break."""
    message = EmailMessage(policy=SMTP)
    words = _WORDS.get(notice.event, notice.event)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = f"[attending {notice.tenant}] {words}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{notice.id}@{sender.partition('@')[2]}>"
    # Nobody's absence notice answers a machine (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{words}.", "", f"event: {notice.event}", f"tenant: {notice.tenant}"]
    lines += [f"{key}: {value}" for key, value in sorted(notice.data.items())]
    lines += [f"entry: {notice.index}", f"time: {notice.time}"]
    if (where := link(console, notice)) is not None:
        lines += ["", where]
    message.set_content("\n".join(lines) + "\n")
    return message


class Mail:
    """One list of recipients. A connection a notice: they are few, and none is left open to go stale."""

    kind = "mail"

    def __init__(
        self,
        smtp: SmtpSection,
        section: RecipientsSection,
        console: str | None,
        now: Callable[[], datetime],
    ) -> None:
        """Raises ConfigurationError for authorities that do not read."""
        self.name = section.name
        self._smtp = smtp
        self._section = section
        self._console = console
        self._now = now
        self._tls = None if smtp.tls == "none" else tls_of(smtp.ca_file, "notices.smtp")

    read = staticmethod(notice_of)

    def wants(self, notice: Notice) -> bool:
        if notice.event == TEST:
            return True
        concerned = not self._section.roles or bool(set(self._section.roles) & set(notice.roles))
        return concerned and self._section.wants(notice.event)

    async def send(self, notice: Notice) -> None:
        smtp, to = self._smtp, list(self._section.to)
        password = None
        if smtp.username is not None:
            password = (await read_secret(smtp.password_file, smtp.password_env)).decode("utf-8", "replace")
        try:
            message = message_of(notice, smtp.sender, to, self._console, self._now())
            async with asyncio.timeout(smtp.timeout_seconds):
                refused, _answer = await aiosmtplib.send(
                    message,
                    sender=smtp.sender,
                    recipients=to,
                    hostname=smtp.host,
                    port=smtp.port,
                    username=smtp.username,
                    password=password,
                    use_tls=smtp.tls == "tls",
                    # Never tried without: a server that does not offer it is refused, not spoken to in the clear.
                    start_tls=smtp.tls == "starttls",
                    tls_context=self._tls,
                    timeout=smtp.timeout_seconds,
                )
        except TimeoutError:
            raise NotDelivered(TIMEOUT) from None
        except aiosmtplib.SMTPTimeoutError:
            raise NotDelivered(TIMEOUT) from None
        except aiosmtplib.SMTPAuthenticationError:
            raise NotDelivered("SIGN_IN_REFUSED") from None
        except aiosmtplib.SMTPRecipientsRefused:
            raise NotDelivered("RECIPIENTS_REFUSED") from None
        except aiosmtplib.SMTPResponseException as err:
            raise NotDelivered(f"STATUS_{int(err.code)}") from None
        except (aiosmtplib.SMTPException, OSError):
            raise NotDelivered(UNREACHABLE) from None
        except ValueError:
            raise NotDelivered("HEADER_REFUSED", permanent=True) from None
        if refused:
            # Some have it and some have not: sent again to all, who know it by its id.
            raise NotDelivered("RECIPIENTS_REFUSED")

    async def close(self) -> None:
        """Nothing is kept."""

"""Who is told of what waits: secrets read, addresses are what they may be, and TLS holds. No notice is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import aiosmtplib
from attending.server.config import SmtpSection, WebhookSection
from attending.server.doctor.check import Finding, Site, green, red, warning
from attending.server.errors import ConfigurationError
from attending.server.notices.delivery import secret_of
from attending.server.notices.webhook import secret_key
from attending.server.outside.addresses import AddressRefused, resolve
from attending.server.outside.tls import tls_of

ASK_SECONDS: Final = 8.0


def webhooks(site: Site) -> Iterator[Finding]:
    """Each receiver of notices: its secrets, its address, and a connection."""
    for section in site.config.notices.webhook:
        yield from _secrets(section)
        yield asyncio.run(_reached(section))
    if not site.config.notices.webhook:
        yield green("none configured")


def mail(site: Site) -> Iterator[Finding]:
    """The mail server for notices answers, proves who it is, and takes the password."""
    smtp = site.config.notices.smtp
    if smtp is None:
        yield green("none configured")
        return
    try:
        given = smtp.username is not None
        password = secret_of(smtp.password_file, smtp.password_env).decode() if given else None
        yield asyncio.run(_signed_in(smtp, password))
    except ConfigurationError as err:
        yield red(err.reason, err.problem, err.next_step)
    except UnicodeDecodeError:
        yield red("NOTICE_SECRET", "the password of `[notices.smtp]` is no UTF-8 text", "write it as UTF-8")
    if site.config.console is None or site.config.console.origin is None:
        yield warning(
            "NO_LINK",
            "notices have no link: there is no `console.origin`",
            "set `console.origin`, or leave it",
        )


def _secrets(section: WebhookSection) -> Iterator[Finding]:
    places = [("secret", section.secret_file, section.secret_env)]
    if section.previous_secret_file is not None or section.previous_secret_env is not None:
        places.append(("previous_secret", section.previous_secret_file, section.previous_secret_env))
    for key, file, variable in places:
        try:
            secret_key(secret_of(file, variable))
        except ConfigurationError as err:
            yield red(err.reason, f"`{section.name}`: {err.problem}", err.next_step)
        except ValueError as err:
            yield red(
                "NOTICE_SECRET",
                f"`{section.name}`: its `{key}` {err}",
                "make one: echo whsec_$(openssl rand -base64 32)",
            )
    if len(places) > 1:
        yield warning(
            "PREVIOUS_SECRET",
            f"`{section.name}` is signed for with its previous secret too",
            f"take `previous_secret_file` of `{section.name}` out once the receiver has the new one",
        )


async def _reached(section: WebhookSection) -> Finding:
    name, url = section.name, urlsplit(section.url)
    host, tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if tls else 80)
    try:
        async with asyncio.timeout(ASK_SECONDS):
            addresses = await resolve(host, port, allow_private=section.allow_private)
            context = tls_of(section.ca_file, f"notices.webhook `{name}`") if tls else None
            _reader, writer = await asyncio.open_connection(
                addresses[0], port, ssl=context, server_hostname=host if tls else None
            )
            writer.close()
    except ConfigurationError as err:
        return red(err.reason, err.problem, err.next_step)
    except AddressRefused:
        return red(
            "PRIVATE_ADDRESS",
            f"`{name}`: its host resolves to a private address",
            f"correct `url` of `{name}`, or set `allow_private` if it is meant to be inside",
        )
    except ssl.SSLError:
        return red(
            "NOTICE_TLS",
            f"`{name}`: its certificate is not one that this machine trusts",
            f"set `ca_file` of `{name}` to the authority that issued it",
        )
    except (OSError, TimeoutError):
        return red(
            "NOTICE_UNREACHABLE",
            f"`{name}` cannot be reached",
            f"check `url` of `{name}` and what lies between; then `attending notices test {name}`",
        )
    return green(f"`{name}`: reached; `attending notices test {name}` sends it a test")


async def _signed_in(smtp: SmtpSection, password: str | None) -> Finding:
    client = aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        use_tls=smtp.tls == "tls",
        start_tls=smtp.tls == "starttls",
        tls_context=None if smtp.tls == "none" else tls_of(smtp.ca_file, "notices.smtp"),
        timeout=ASK_SECONDS,
    )
    try:
        async with asyncio.timeout(ASK_SECONDS):
            await client.connect()
            if smtp.username is not None and password is not None:
                await client.login(smtp.username, password)
            await client.quit()
    except aiosmtplib.SMTPAuthenticationError:
        return red("MAIL_SIGN_IN", "the mail server does not accept `username` and password", "correct them")
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        return red(
            "MAIL_UNREACHABLE",
            "the mail server cannot be reached with TLS",
            "check `host`, `port`, `tls` and `ca_file` of `[notices.smtp]`",
        )
    finally:
        client.close()
    return green(f"`{smtp.host}`: it takes our mail")

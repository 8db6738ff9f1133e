"""Opened by a record system for a patient: SMART App Launch 2.2, from the record system or without it ("standalone").

The code flow with PKCE, as in `oidc`, at the authorisation server that the FHIR server names. What comes back is
believed as far as its ID token verifies, for this very sign-in. The access token is used once at most, to read the
Patient's identifiers, and kept nowhere; none that lasts is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import jwt
import structlog
from attending.server.auth.oidc.provider import RETRY_SECONDS
from attending.server.auth.oidc.token import TokenVerifier, VerifiedToken
from attending.server.config import ConsoleSmartSection, OidcSection
from attending.server.console.begun import Flows
from attending.server.console.oidc import MAX_CODE_CHARS
from attending.server.errors import AttendingError, FailedPrecondition, Unauthenticated, Unavailable
from attending.server.outside.ask import Answer, Asker, NotAnswered
from attending.server.outside.assertion import ClientKey
from attending.server.outside.smart import Discovery, SmartConfiguration

log = structlog.get_logger()

MOST_BYTES: Final = 1024 * 1024
MAX_LAUNCH_CHARS: Final = 4_096
MAX_IDENTIFIERS: Final = 1_000
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
"""An id of FHIR R4 (2.24.0.1)."""
_USERS: Final = ("Practitioner", "PractitionerRole", "Person")
"""What somebody who reviews may be there (`fhirUser`): neither a patient nor a relative."""


@dataclass(frozen=True, slots=True)
class Launched:
    """Who was signed in, how applications name the patient that the record system has open, whether it was begun in a
    frame, and who that person is in the record system (`Practitioner/123`).
    """

    token: VerifiedToken
    reference: str = field(repr=False)
    framed: bool
    fhir_user: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _About:
    framed: bool
    names_issuer: bool
    token_endpoint: str


class SmartFlow:
    """One record system's. Belongs to one event loop."""

    def __init__(
        self,
        section: ConsoleSmartSection,
        provider: OidcSection,
        back: Callable[[], str],
        now: Callable[[], datetime],
        ask: Asker | None = None,
    ) -> None:
        """`back` is the address to which people are sent back. Raises ConfigurationError for a key or authorities that
        do not read.
        """
        self.section = section
        self._provider = provider
        self._back = back
        where = f"console.smart `{section.name}`"
        file = section.client_key_file
        self.key = None if file is None else ClientKey(file, where, now)
        self._verifier = TokenVerifier([provider.model_copy(update={"audience": section.client_id})], now)
        self._ask = ask or Asker(
            ca_file=section.ca_file,
            allow_private=section.allow_private,
            timeout_seconds=section.timeout_seconds,
            most_bytes=MOST_BYTES,
            where=where,
        )
        self._discovery = Discovery(self._ask, section.fhir_base, now)
        self._flows: Flows[_About] = Flows(now)

    async def begin(self, launch: str | None, *, framed: bool) -> tuple[str, str]:
        """(address at the authorisation server, state that the browser must bring back). `launch` is what the record
        system opened the console with, None where somebody begins here and chooses the patient there.

        Raises FailedPrecondition (LAUNCH_REFUSED), ResourceExhausted and Unavailable.
        """
        if launch is not None and not 0 < len(launch) <= MAX_LAUNCH_CHARS:
            raise FailedPrecondition("LAUNCH_REFUSED")
        self._flows.require_room()
        found = await self._discovered()
        begun = self._flows.begin(_About(framed, found.names_issuer, found.token_endpoint))
        scopes = ["openid", "fhirUser", "launch/patient" if launch is None else "launch"]
        if self.section.identifier_system is not None:
            scopes.append("patient/Patient.r")
        query = {
            "response_type": "code",
            "client_id": self.section.client_id,
            "redirect_uri": self._back(),
            "scope": " ".join(scopes),
            # Which FHIR server the token is for: another one that is tricked into asking gets none that is good here.
            "aud": self.section.fhir_base,
            **({} if launch is None else {"launch": launch}),
            **begun.query(),
        }
        address = found.authorization_endpoint
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}", begun.state

    async def finish(self, query: Mapping[str, str], cookie: str) -> Launched:
        """What a browser brought back; `cookie` is the state that it has. A code is asked about once.

        Raises FailedPrecondition (CEREMONY_OVER, NO_PATIENT), Unauthenticated and Unavailable.
        """
        begun = self._flows.take(query, cookie)
        # RFC 9207: who answers must be the one that was asked; one that announces to say so has to.
        said = query.get("iss", None if begun.about.names_issuer else self._provider.issuer)
        if said != self._provider.issuer:
            raise self._refused("WRONG_ISSUER")
        code = query.get("code", "")
        if not code or len(code) > MAX_CODE_CHARS or "error" in query:
            raise self._refused("NO_CODE")
        told = await self._exchange(code, begun.verifier, begun.about.token_endpoint)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise self._refused("NO_ID_TOKEN")
        verified = await self._verifier.verify(token)
        if not begun.is_of(token):
            raise self._refused("WRONG_NONCE")
        who = self._staff(token)
        patient = told.get("patient")
        if not isinstance(patient, str) or not _ID.fullmatch(patient):
            raise FailedPrecondition("NO_PATIENT")
        return Launched(verified, await self._named(patient, told), begun.about.framed, who)

    async def close(self) -> None:
        await self._verifier.close()
        await self._ask.close()

    # --- inside ----------------------------------------------------------------------------------------

    async def _discovered(self) -> SmartConfiguration:
        try:
            return await self._discovery()
        except NotAnswered as err:
            raise self._unavailable(err) from None

    async def _exchange(self, code: str, verifier: str, endpoint: str) -> dict[str, Any]:
        """The token response for a code (section "Obtain access token")."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back(),
            "code_verifier": verifier,
        }
        if self.key is None:
            form["client_id"] = self.section.client_id
        else:
            form |= self.key.form(self.section.client_id, endpoint)
        try:
            answer = await self._ask("POST", endpoint, form=form)
            if answer.status in (400, 401):
                raise self._refused("CODE_REFUSED")
            return self._ok(answer).json()
        except NotAnswered as err:
            # It may have moved: the next launch asks where it is.
            self._discovery.forget()
            raise self._unavailable(err) from None

    def _staff(self, verified_token: str) -> str:
        """Who the token's person is there; Unauthenticated for a patient, and for somebody of another FHIR server."""
        who = jwt.decode(verified_token, options={"verify_signature": False}).get("fhirUser")
        if not isinstance(who, str):
            raise self._refused("NO_FHIR_USER")
        kind, _slash, name = who.removeprefix(f"{self.section.fhir_base}/").partition("/")
        if kind not in _USERS or not _ID.fullmatch(name):
            raise self._refused("WRONG_FHIR_USER")
        return f"{kind}/{name}"

    async def _named(self, patient: str, told: Mapping[str, Any]) -> str:
        """What applications call that patient."""
        system = self.section.identifier_system
        if system is None:
            return f"Patient/{patient}"
        access = told.get("access_token")
        if not isinstance(access, str) or not access.isascii() or not access.isprintable():
            raise self._refused("NO_ACCESS_TOKEN")
        try:
            answer = await self._ask(
                "GET",
                f"{self.section.fhir_base}/Patient/{patient}",
                headers={"authorization": f"Bearer {access}", "accept": "application/fhir+json"},
            )
            found = self._ok(answer).json()
        except NotAnswered as err:
            raise self._unavailable(err) from None
        values = set(_identifiers(found, system))
        if (found.get("resourceType"), found.get("id")) != ("Patient", patient) or len(values) != 1:
            # Another patient's record, or one whom applications could call by two names: nobody in particular.
            raise FailedPrecondition("NO_PATIENT")
        return f"{self.section.subject_prefix}{values.pop()}"

    @staticmethod
    def _ok(answer: Answer) -> Answer:
        if answer.status != 200:
            raise NotAnswered("WRONG_STATUS")
        return answer

    def _refused(self, reason: str) -> AttendingError:
        log.info("auth.launch_refused", provider=self.section.name, reason=reason)
        return Unauthenticated("INVALID_CREDENTIAL")

    def _unavailable(self, err: NotAnswered) -> AttendingError:
        log.warning("auth.launch_not_answered", provider=self.section.name, reason=err.reason)
        return Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", retry_after_seconds=RETRY_SECONDS)


def _identifiers(patient: Mapping[str, Any], system: str) -> list[str]:
    """Values of a Patient's identifiers of that system which are in use."""
    listed = patient.get("identifier")
    found = []
    for one in listed[:MAX_IDENTIFIERS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("system") != system or one.get("use") == "old":
            continue
        value = one.get("value")
        if isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= 200:
            found.append(value.strip())
    return found

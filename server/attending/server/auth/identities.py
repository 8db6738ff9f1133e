"""Identities, found by what a caller shows. An index never changes; a source may give another one at any time.

Those of the configuration are one source. Whoever enrols people while the server runs is another: it keeps an
`Identities` up to date and adds itself with `Directory.add`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from attending.server.auth.certificate import CertificateNames
from attending.server.config import IdentitySection, ServiceKeySection


class Identities:
    """An immutable index of identities. Building it is linear in their number, finding one is not."""

    def __init__(self, identities: Iterable[IdentitySection] = ()) -> None:
        self.all = tuple(identities)
        self._keys: dict[str, tuple[IdentitySection, ServiceKeySection]] = {}
        self._certificates: dict[str, IdentitySection] = {}
        self._uris: dict[str, IdentitySection] = {}
        self._common_names: dict[str, IdentitySection] = {}
        self._subjects: dict[tuple[str, str], IdentitySection] = {}
        for identity in self.all:
            self._subjects.update({(one.issuer, one.subject): identity for one in identity.oidc})
            self._keys.update({key.prefix: (identity, key) for key in identity.service_keys})
            self._certificates.update(dict.fromkeys(identity.certificate_sha256, identity))
            self._uris.update(dict.fromkeys(identity.certificate_uri, identity))
            self._common_names.update(dict.fromkeys(identity.certificate_common_name, identity))

    def current(self) -> Identities:
        """Itself: an index that never changes is a source, too."""
        return self

    def by_key_prefix(self, prefix: str) -> tuple[IdentitySection, ServiceKeySection] | None:
        """Whose service key that would be; the key is still to be verified."""
        return self._keys.get(prefix)

    def by_oidc(self, issuer: str, subject: str) -> IdentitySection | None:
        """Who that subject is; `issuer` is the name of the provider in the configuration."""
        return self._subjects.get((issuer, subject))

    def by_certificate(self, names: CertificateNames) -> list[IdentitySection]:
        """Everybody whom the certificate names, each once: more than one is nobody in particular."""
        found = [self._certificates.get(names.sha256)]
        found += [self._uris.get(uri) for uri in names.uris]
        found += [self._common_names.get(name) for name in names.common_names]
        return list({id(identity): identity for identity in found if identity is not None}.values())


class IdentitySource(Protocol):
    """Where identities come from. Asked at every call: `current` is quick, never waits, and gives what holds now. An
    identity or a credential that it no longer has is refused from then on, on open connections too.
    """

    def current(self) -> Identities: ...

"""Identities, found by what a caller shows. An index never changes; a source may give another one at any time.

Those of the configuration are one source. Whoever enrols people while the server runs is another: it keeps an
`Identities` up to date and adds itself with `Directory.add`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from attending.server.auth.certificate import CertificateNames
from attending.server.config import IdentitySection, ServiceKeySection

T = TypeVar("T")


class Identities:
    """An immutable index of identities. Building it is linear in their number, finding one is not."""

    def __init__(self, identities: Iterable[IdentitySection] = ()) -> None:
        self.all = tuple(identities)
        # Lists: a credential that two claim names nobody, and must not go to the one that was read last.
        self._names: dict[tuple[str, str], list[IdentitySection]] = {}
        self._keys: dict[str, list[tuple[IdentitySection, ServiceKeySection]]] = {}
        self._certificates: dict[str, list[IdentitySection]] = {}
        self._uris: dict[str, list[IdentitySection]] = {}
        self._common_names: dict[str, list[IdentitySection]] = {}
        self._subjects: dict[tuple[str, str], list[IdentitySection]] = {}
        for identity in self.all:
            self._names.setdefault((identity.tenant, identity.name), []).append(identity)
            for one in identity.oidc:
                self._subjects.setdefault((one.issuer, one.subject), []).append(identity)
            for key in identity.service_keys:
                self._keys.setdefault(key.prefix, []).append((identity, key))
            for table, names in (
                (self._certificates, identity.certificate_sha256),
                (self._uris, identity.certificate_uri),
                (self._common_names, identity.certificate_common_name),
            ):
                for name in names:
                    table.setdefault(name, []).append(identity)

    def current(self) -> Identities:
        """Itself: an index that never changes is a source, too."""
        return self

    def by_name(self, tenant: str, name: str) -> IdentitySection | None:
        """Who of that tenant has that name; None when it is nobody's in particular."""
        return _only(self._names.get((tenant, name)))

    def by_key_prefix(self, prefix: str) -> tuple[IdentitySection, ServiceKeySection] | None:
        """Whose service key that would be; the key is still to be verified. None when it is nobody's in particular."""
        return _only(self._keys.get(prefix))

    def by_oidc(self, issuer: str, subject: str) -> IdentitySection | None:
        """Who that subject is; `issuer` is the name of the provider in the configuration."""
        return _only(self._subjects.get((issuer, subject)))

    def by_certificate(self, names: CertificateNames) -> list[IdentitySection]:
        """Everybody whom the certificate names, each once: more than one is nobody in particular."""
        found = list(self._certificates.get(names.sha256, ()))
        for uri in names.uris:
            found += self._uris.get(uri, ())
        for name in names.common_names:
            found += self._common_names.get(name, ())
        return list({id(identity): identity for identity in found}.values())


def _only(found: list[T] | None) -> T | None:
    return found[0] if found is not None and len(found) == 1 else None


class IdentitySource(Protocol):
    """Where identities come from. Asked at every call: `current` is quick, never waits, and gives what holds now. An
    identity or a credential that it no longer has is refused from then on, on open connections too.
    """

    def current(self) -> Identities: ...

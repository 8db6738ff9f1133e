"""How long it takes to know who calls and whether they may: authentication plus authorisation of one call.

One directory of many identities, the package's own authorisation policies, and the calls of one identity after another
by each kind of credential: a client certificate whose revocation list is asked, a service key that is remembered, a
service key that is not (argon2), and tokens of a local OpenID Connect provider, each token used once. Baselines of the
same run: the authorisation alone, and the bare signature check of the same tokens. Every answer is checked.

    python bench/auth.py [--json] [--identities N] [--calls N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, PolicySet, Resource
from attending.server.auth.oidc.token import TokenVerifier
from attending.server.auth.principal import Principal
from attending.server.auth.revocation import RevocationList, Revocations, authority_id
from attending.server.auth.service_key import LEAST, hash_service_key, new_service_key, prefix_of
from attending.server.bootstrap.certificates import issue_client, new_authority
from attending.server.config import IdentitySection, OidcSection
from attending.server.shipped import package_policies
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from times import quantile, timed

TENANT = "bench"
AUDIENCE = "attending"
REVOKED = 10_000
COLD_CALLS = 10
ALGORITHMS = ("ES256", "RS256")
LIMIT_MS = 1.0


@contextmanager
def key_server(keys: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Serves a key set on this machine; the address of its issuer."""
    body = json.dumps({"keys": list(keys)}).encode()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class World:
    """Identities with a credential of each kind, and what finds them."""

    def __init__(self, identities: int, issuer: str, signers: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        self.authority = new_authority("bench authority", now)
        self.keys = [new_service_key() for _ in range(identities)]
        self.hashes = [hash_service_key(key, LEAST) for key in self.keys]
        self.certificates = [
            issue_client(self.authority, f"app-{n}", f"spiffe://bench/app-{n}", now).certificate
            for n in range(identities)
        ]
        self.sections = [
            IdentitySection.model_validate(
                {
                    "name": f"app-{n}",
                    "tenant": TENANT,
                    "kind": "app",
                    "roles": ["app"],
                    "certificate_uri": [f"spiffe://bench/app-{n}"],
                    "service_keys": [{"prefix": prefix_of(self.keys[n]), "hash": self.hashes[n]}],
                    "oidc": [{"issuer": "bench", "subject": f"subject-{n}"}],
                }
            )
            for n in range(identities)
        ]
        issued = x509.load_pem_x509_certificate(self.authority.certificate)
        lists = Revocations(
            [
                RevocationList(
                    authority_id(issued), now, issued.not_valid_after_utc, frozenset(range(REVOKED))
                )
            ],
            [issued],
        )
        section = OidcSection(
            name="bench",
            issuer=issuer,
            audience=AUDIENCE,
            jwks_uri=f"{issuer}/jwks",
            algorithms=[*ALGORITHMS],
        )
        self.issuer, self.signers = issuer, signers
        self.tokens = TokenVerifier([section])
        self.directory = Directory(
            self.sections,
            tokens=self.tokens,
            revocation=lambda certificate: lists.verdict(certificate, datetime.now(UTC)),
        )
        self.authorizer = Authorizer(PolicySet.load(package_policies() / "authorization"), _not_denied)

    def token(self, algorithm: str, number: int) -> str:
        """A token that was never seen before."""
        said = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": f"subject-{number % len(self.sections)}",
            "iat": time.time(),
            "exp": time.time() + 3600,
            "jti": str(number),
        }
        return jwt.encode(said, self.signers[algorithm], algorithm, headers={"kid": algorithm})

    async def call(self, number: int, certificate: bytes | None = None, token: str | None = None) -> None:
        """What happens before a handler sees a call."""
        peer = {} if certificate is None else {"x509_pem_cert": [certificate]}
        metadata = [] if token is None else [("authorization", f"Bearer {token}")]
        principal = await self.directory.authenticate(peer, metadata)
        await self.authorize(principal)
        assert principal.name == f"app-{number % len(self.sections)}"

    async def authorize(self, principal: Principal) -> None:
        decision = await self.authorizer.require("infer", Resource.log(principal.tenant), principal)
        assert decision.allowed


async def _not_denied(_principal: Principal, _decision: object) -> None:
    raise AssertionError("the bench's calls are allowed")


async def measure(identities: int, calls: int) -> dict[str, Any]:
    """The figures."""
    signers: dict[str, Any] = {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(65537, 2048),
    }
    published = [
        {**jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": name}
        for name, key in signers.items()
    ]
    with key_server(published) as issuer:
        world = World(identities, issuer, signers)
        try:
            return await _figures(world, calls)
        finally:
            await world.tokens.close()


async def _figures(world: World, calls: int) -> dict[str, Any]:
    numbers = range(calls)
    size = len(world.sections)
    principals = world.directory.principals()
    tokens = {name: [world.token(name, n) for n in numbers] for name in ALGORITHMS}
    bare = {name: key.public_key() for name, key in world.signers.items()}
    real = hash_service_key(world.keys[0])  # at the cost of a configuration's own keys
    paid = IdentitySection.model_validate(
        {
            **world.sections[0].model_dump(),
            "service_keys": [{"prefix": prefix_of(world.keys[0]), "hash": real}],
        }
    )

    async def decide(number: int) -> None:
        await world.authorize(principals[number % size])

    async def certificate(number: int) -> None:
        await world.call(number, certificate=world.certificates[number % size])

    async def remembered(number: int) -> None:
        await world.call(number, token=world.keys[number % size])

    async def not_remembered(_number: int) -> None:
        await Directory([paid]).authenticate({}, [("authorization", f"Bearer {world.keys[0]}")])

    async def oidc(name: str, number: int) -> None:
        await world.call(number, token=tokens[name][number])

    async def signature(name: str, number: int) -> None:
        jwt.decode(tokens[name][number], bare[name], algorithms=[name], audience=AUDIENCE)

    # Certificates parsed, keys verified, the provider's keys fetched: what a server has done after its first calls.
    for warm in (decide, certificate, remembered):
        await timed(warm, range(size))
    await timed(partial(oidc, "ES256"), range(1))
    times = {
        "authorisation": await timed(decide, numbers),
        "mtls": await timed(certificate, numbers),
        "service_key": await timed(remembered, numbers),
        "argon2": await timed(not_remembered, range(COLD_CALLS)),
    }
    for name in ALGORITHMS:
        times[f"oidc_{name.lower()}"] = await timed(partial(oidc, name), numbers)
        times[f"bare_{name.lower()}"] = await timed(partial(signature, name), numbers)
    p50 = {name: quantile(found, 0.5) for name, found in times.items()}
    figures: dict[str, Any] = {f"{name}_p50_ms": value for name, value in p50.items()}
    figures |= {f"{name}_p99_ms": quantile(found, 0.99) for name, found in times.items() if name != "argon2"}
    figures |= {
        "argon2_times_service_key": round(p50["argon2"] / p50["service_key"], 1),
        "mtls_times_authorisation": round(p50["mtls"] / p50["authorisation"], 2),
        "service_key_times_authorisation": round(p50["service_key"] / p50["authorisation"], 2),
        "oidc_es256_times_authorisation": round(p50["oidc_es256"] / p50["authorisation"], 2),
        "oidc_rs256_times_authorisation": round(p50["oidc_rs256"] / p50["authorisation"], 2),
        "slowest_part_of_1_ms": round(
            max(p50[name] for name in ("mtls", "service_key", "oidc_es256", "oidc_rs256")) / LIMIT_MS, 2
        ),
        "identities": size,
        "revoked_certificates": REVOKED,
        "calls": calls,
    }
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--identities", type=int, default=500)
    parser.add_argument("--calls", type=int, default=5_000)
    options = parser.parse_args(arguments)
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    figures = asyncio.run(measure(options.identities, options.calls))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:34} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

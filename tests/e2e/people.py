"""People and programs whom two others let into a running server, and their way in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from attending.client import Client, Connection, PeopleClient
from attending.v1 import identity_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.e2e.configured_server import ConfiguredServer

TENANT = "north"


@dataclass(frozen=True)
class Enrolled:
    """One identity of TENANT, with its only service key."""

    name: str
    token: str
    credential_id: str

    def connection(self, server: ConfiguredServer) -> Connection:
        return server.as_token(TENANT, self.token)

    def client(self, server: ConfiguredServer) -> Client:
        return Client(self.connection(server))


def office(server: ConfiguredServer, role: str = "operator") -> PeopleClient:
    """Whoever enrols (`operator`), or proofs and revokes (`safety_officer`)."""
    return PeopleClient(server.connection(TENANT, role))


def soon() -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    return moment


def let_in(server: ConfiguredServer, role: str = "app") -> Enrolled:
    """Somebody new with that role, enrolled, given a key and proofed."""
    name = f"new-{uuid.uuid4().hex[:12]}"
    program = role == "app"
    kind = identity_pb2.USER_KIND_APPLICATION if program else identity_pb2.USER_KIND_PERSON
    proof = identity_pb2.PROOF_METHOD_SYSTEM_OWNER if program else identity_pb2.PROOF_METHOD_IN_PERSON
    with office(server) as operator, office(server, "safety_officer") as officer:
        operator.enrol(identity_pb2.EnrolUserRequest(name=name, kind=kind, roles=[role]))
        issued = operator.issue_key(identity_pb2.IssueKeyRequest(name=name, expires=soon()))
        officer.proof(name, issued.user.version, proof)
    return Enrolled(name, issued.token, issued.credential_id)

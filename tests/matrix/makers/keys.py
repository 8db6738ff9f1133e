"""KeyService. Nothing in a request names a thing of a tenant but a subject."""

from __future__ import annotations

from attending.v1 import keys_pb2

from tests.matrix.making import Things, key, maker


@maker("KeyService/ListKeys", "operator", own=True)
def list_keys(_things: Things) -> keys_pb2.ListKeysRequest:
    return keys_pb2.ListKeysRequest()


@maker("KeyService/RotateKey", "operator", own=True)
def rotate(_things: Things) -> keys_pb2.RotateKeyRequest:
    return keys_pb2.RotateKeyRequest(idempotency_key=key(), kind=keys_pb2.KEY_KIND_KEK)


@maker("KeyService/RotateKey", "operator", variant="of a subject")
def rotate_subject(things: Things) -> keys_pb2.RotateKeyRequest:
    return keys_pb2.RotateKeyRequest(
        idempotency_key=key(), kind=keys_pb2.KEY_KIND_SUBJECT, subject=things.subject
    )

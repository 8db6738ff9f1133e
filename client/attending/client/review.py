"""A clinician's calls: queue, claim, dispose, sign. The private key never leaves this process."""

from __future__ import annotations

import hashlib
import json
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Any

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import ReceiptError, translated
from attending.ledger.canonical import parse_canonical
from attending.ledger.review_signature import Statement, parse_statement, sign_statement
from attending.ledger.vault import payload_commitment
from attending.v1 import common_pb2, review_pb2, review_pb2_grpc
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True, slots=True)
class PreparedSignature:
    """What is about to be signed. `statement` was checked to commit to exactly `text` and `view`."""

    preparation_id: str
    statement: Statement
    text: str
    view: dict[str, Any]
    findings: tuple[Any, ...]
    reading_floor_seconds: int = 0
    """The least time in which the text can be read, by its policy."""
    reading_waits: bool = False
    """Whether the server refuses a signature before that."""


SigningKey = Ed25519PrivateKey | EllipticCurvePrivateKey
"""What a reviewer may sign with from a program: Ed25519, or ECDSA over P-256."""


def public_bytes(key: SigningKey) -> bytes:
    """The public half as it is enrolled: raw Ed25519 (32 bytes), or the SubjectPublicKeyInfo of a P-256 key in DER."""
    if isinstance(key, Ed25519PrivateKey):
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signed_with(key: SigningKey, message: bytes) -> bytes:
    """64 bytes of Ed25519, or ECDSA with SHA-256 in DER."""
    return key.sign(message) if isinstance(key, Ed25519PrivateKey) else key.sign(message, ECDSA(SHA256()))


def key_id(key: SigningKey) -> str:
    """First 16 hex characters of SHA-256 over the public key as it is enrolled (docs/format.md)."""
    return hashlib.sha256(public_bytes(key)).hexdigest()[:16]


class ReviewClient(Calls):
    """One reviewer's calls; close it, or use it in a `with`."""

    def __init__(
        self,
        connection: Connection,
        *,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_TREATMENT,
    ) -> None:
        """`purpose` says why a text is looked at; it is recorded with each look."""
        self._purpose = purpose
        super().__init__(connection)
        self._stub = review_pb2_grpc.ReviewServiceStub(self._channel)

    @translated
    def queue(
        self,
        policy: str = "",
        page_size: int = 50,
        *,
        least_severity: common_pb2.Severity.ValueType = common_pb2.SEVERITY_UNSPECIFIED,
        overdue: bool = False,
        escalated: bool = False,
        mine: bool = False,
        claimable: bool = False,
    ) -> list[review_pb2.QueueItem]:
        """Waiting items for which every condition given holds, most urgent first, all pages."""
        items: list[review_pb2.QueueItem] = []
        request = review_pb2.ListQueueRequest(
            policy=policy,
            page_size=page_size,
            least_severity=least_severity,
            overdue=overdue,
            escalated=escalated,
            mine=mine,
            claimable=claimable,
        )
        while True:
            page = self._stub.ListQueue(request, timeout=TIMEOUT_SECONDS)
            items += page.items
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return items

    @translated
    def item(self, ticket_id: str) -> review_pb2.GetItemResponse:
        request = review_pb2.GetItemRequest(ticket_id=ticket_id, purpose_of_use=self._purpose)
        return self._stub.GetItem(request, timeout=TIMEOUT_SECONDS)

    @translated
    def claim(self, ticket_id: str, key: str | None = None) -> review_pb2.ClaimResponse:
        request = review_pb2.ClaimRequest(ticket_id=ticket_id, idempotency_key=key or uuid.uuid4().hex)
        answer = self._stub.Claim(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.claimed")
        return answer

    @translated
    def claim_next(
        self,
        policy: str = "",
        *,
        least_severity: common_pb2.Severity.ValueType = common_pb2.SEVERITY_UNSPECIFIED,
        key: str | None = None,
    ) -> review_pb2.ClaimNextResponse:
        """The most urgent item that the caller may sign, leased to them."""
        request = review_pb2.ClaimNextRequest(
            idempotency_key=key or uuid.uuid4().hex, policy=policy, least_severity=least_severity
        )
        answer = self._stub.ClaimNext(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.claimed")
        return answer

    @translated
    def renew(self, ticket_id: str, lease_id: str, key: str | None = None) -> review_pb2.RenewResponse:
        request = review_pb2.RenewRequest(
            ticket_id=ticket_id, lease_id=lease_id, idempotency_key=key or uuid.uuid4().hex
        )
        return self._stub.Renew(request, timeout=TIMEOUT_SECONDS)

    @translated
    def dispose(
        self,
        ticket_id: str,
        lease_id: str,
        finding: int,
        disposition: review_pb2.Disposition.ValueType,
        *,
        reason_code: str = "",
        note: str = "",
        seen: str = "",
        key: str | None = None,
    ) -> review_pb2.DisposeResponse:
        """`seen` is that of the last answer that showed the item: refused (ITEM_CHANGED) where its findings are others
        since. Once facts were added it is required.
        """
        request = review_pb2.DisposeRequest(
            idempotency_key=key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            finding=finding,
            disposition=disposition,
            reason_code=reason_code,
            note=note,
            seen=seen,
        )
        answer = self._stub.Dispose(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.disposed")
        return answer

    @translated
    def add_facts(
        self,
        ticket_id: str,
        lease_id: str,
        facts: common_pb2.PatientContext,
        *,
        key: str | None = None,
    ) -> review_pb2.AddFactsResponse:
        """Adds what was missing of the patient; the text is judged again with it, and its findings are new."""
        request = review_pb2.AddFactsRequest(
            idempotency_key=key or uuid.uuid4().hex, ticket_id=ticket_id, lease_id=lease_id, facts=facts
        )
        answer = self._stub.AddFacts(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.facts_added")
        return answer

    @translated
    def prepare(
        self,
        ticket_id: str,
        lease_id: str,
        key: SigningKey,
        edited_text: str | None = None,
        *,
        rejection: review_pb2.Rejection | None = None,
        seen: str = "",
    ) -> PreparedSignature:
        """Asks for the statement and checks that it commits to the text and view that came with it. With `rejection` it
        is one that refuses the text. `seen` is that of the last answer about the item: refused (ITEM_CHANGED) where
        findings, facts, dispositions or signatures are others since. Once facts were added it is required.

        Raises ReceiptError when it does not: then nothing must be signed.
        """
        if edited_text is not None:
            # What is signed and released is NFC; sending it so keeps the comparison below exact.
            edited_text = unicodedata.normalize("NFC", edited_text)
        answer = self._stub.PrepareSign(
            review_pb2.PrepareSignRequest(
                ticket_id=ticket_id,
                lease_id=lease_id,
                edited_text=edited_text,
                key_id=key_id(key),
                purpose_of_use=self._purpose,
                rejection=rejection,
                seen=seen,
            ),
            timeout=TIMEOUT_SECONDS,
        )
        statement = parse_statement(parse_canonical(answer.statement))
        text = payload_commitment("output_final", answer.salt, answer.text.encode("utf-8")).hex()
        view = payload_commitment("view", answer.view_salt, answer.view).hex()
        if edited_text is not None and answer.text != edited_text:
            raise ReceiptError("the server changed the edited text")
        if (statement.text_commitment, statement.view_commitment) != (text, view):
            raise ReceiptError("the statement does not commit to the text and the view shown")
        shown = json.loads(answer.view)
        if (shown["ticket"], shown["inference"], shown["text"]) != (
            ticket_id,
            statement.inference,
            answer.text,
        ):
            raise ReceiptError("the view is of another item or text than the statement")
        if statement.key_id != key_id(key) or statement.meaning.releases != (rejection is None):
            raise ReceiptError("the statement is not the one that was asked for")
        return PreparedSignature(
            preparation_id=answer.preparation_id,
            statement=statement,
            text=answer.text,
            view=shown,
            findings=tuple(answer.findings),
            reading_floor_seconds=answer.reading_floor_seconds,
            reading_waits=answer.reading_waits,
        )

    @translated
    def sign(
        self,
        ticket_id: str,
        lease_id: str,
        prepared: PreparedSignature,
        key: SigningKey,
        idempotency_key: str | None = None,
        *,
        reading_reason: str = "",
    ) -> review_pb2.SignResponse:
        """Signs the prepared statement; the server releases exactly the text it commits to, or none. `reading_reason`
        is a code for a signature that comes sooner than the text can be read.
        """
        request = review_pb2.SignRequest(
            idempotency_key=idempotency_key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            preparation_id=prepared.preparation_id,
            signature=sign_statement(prepared.statement, key),
            reading_reason=reading_reason,
        )
        answer = self._stub.Sign(request, timeout=TIMEOUT_SECONDS)
        led_to = ("review.adjudicated", "review.rejected", "inference.released", "oversight.debriefed")
        self._check(answer.receipts, "review.signed", *led_to)
        return answer

    @translated
    def reject(
        self, ticket_id: str, lease_id: str, reason_code: str, *, note: str = "", key: str | None = None
    ) -> review_pb2.RejectResponse:
        request = review_pb2.RejectRequest(
            idempotency_key=key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            reason_code=reason_code,
            note=note,
        )
        answer = self._stub.Reject(request, timeout=TIMEOUT_SECONDS)
        ended = "oversight.debriefed" if answer.HasField("debrief") else "review.rejected"
        self._check([answer.receipt], ended)
        return answer

    @translated
    def release_lease(
        self, ticket_id: str, lease_id: str, key: str | None = None
    ) -> review_pb2.ReleaseLeaseResponse:
        """Gives the lease back; the item is free."""
        request = review_pb2.ReleaseLeaseRequest(
            idempotency_key=key or uuid.uuid4().hex, ticket_id=ticket_id, lease_id=lease_id
        )
        answer = self._stub.ReleaseLease(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.reassigned")
        return answer

    @translated
    def reassign(
        self,
        ticket_id: str,
        to: str | None,
        reason_code: str,
        *,
        lease_id: str = "",
        note: str = "",
        key: str | None = None,
    ) -> review_pb2.ReassignResponse:
        """Reserves the item for a colleague, None for the one who has least to do; `lease_id` is needed while the
        caller has it claimed.
        """
        request = review_pb2.ReassignRequest(
            idempotency_key=key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            to=to or "",
            least_loaded=to is None,
            reason_code=reason_code,
            note=note,
        )
        answer = self._stub.Reassign(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.reassigned")
        return answer

    @translated
    def record_opinion(
        self, ticket_id: str, lease_id: str, assessment: str, *, note: str = "", key: str | None = None
    ) -> review_pb2.RecordOpinionResponse:
        """Puts one's own view on record; the findings are shown from then on."""
        request = review_pb2.RecordOpinionRequest(
            idempotency_key=key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            assessment=assessment,
            note=note,
        )
        answer = self._stub.RecordOpinion(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.opinion_recorded")
        return answer

    @translated
    def escalate(
        self, ticket_id: str, lease_id: str, reason_code: str, *, note: str = "", key: str | None = None
    ) -> review_pb2.EscalateResponse:
        """Passes the item on to those whom its policy names."""
        request = review_pb2.EscalateRequest(
            idempotency_key=key or uuid.uuid4().hex,
            ticket_id=ticket_id,
            lease_id=lease_id,
            reason_code=reason_code,
            note=note,
        )
        answer = self._stub.Escalate(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "review.escalated")
        return answer

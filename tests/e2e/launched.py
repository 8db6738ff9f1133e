"""A server that a record system opens, that system, and another site that is none: three addresses of this machine."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attending.client import Client
from attending.server.bootstrap.folder import REPLAY_FILE
from attending.v1 import common_pb2, inference_pb2, ledger_pb2

from tests.browser.ward import Ward
from tests.e2e.calls import TAGS
from tests.e2e.server_process import ended
from tests.server.console.ehr import CLIENT, Ehr, running

WHO = "dr-osei"
NAMES = {"p-17": "Framed, Ann", "p-18": "Framed, Ben"}


@dataclass
class Place:
    """A server that a record system opens, that system, and another site that is none."""

    server: Ward
    ehr: Ehr
    other: Ehr

    @property
    def url(self) -> str:
        return str(self.server.endpoint()["console_url"])

    def launch(self, patient: str) -> str:
        return (
            f"{self.url}/smart/launch?{urlencode({'iss': self.ehr.fhir, 'launch': self.ehr.opened(patient)})}"
        )

    def framing(self, source: str, *, by: Ehr | None = None, allow: str = "publickey-credentials-get") -> str:
        """A page of the record system, or of another site, that shows `source` in a frame."""
        return f"{(by or self.ehr).url}/page?{urlencode({'src': source, 'allow': allow})}"

    def hold(self, patient: str) -> tuple[str, str]:
        """Ticket and inference of a text that waits."""
        request = inference_pb2.RecordRequest(
            idempotency_key=uuid.uuid4().hex,
            context=inference_pb2.InferenceContext(
                policy="discharge-plan",
                subject_ref=f"Patient/{patient}",
                patient=common_pb2.PatientContext(
                    identity=common_pb2.PatientIdentity(names=[NAMES[patient]], mrn=f"SYN-{patient}")
                ),
                tags=TAGS,
            ),
            prompt="Write it.",
            output="Your plan for home. Rest for two days and drink enough.",
            provider="elsewhere",
            model="unknown",
        )
        with Client(self.server.connection("demo-app")) as app:
            made = app.inference.Record(request, timeout=60).result
        assert made.ticket.ticket_id
        return made.ticket.ticket_id, made.inference_id

    def entries(self) -> list[dict[str, Any]]:
        with Client(self.server.connection("demo-auditor")) as auditor:
            found, token = [], ""
            while True:
                page = auditor.ledger.ListEntries(
                    ledger_pb2.ListEntriesRequest(page_size=500, page_token=token)
                )
                found += [json.loads(one.data) for one in page.entries]
                token = page.next_page_token
                if not token:
                    return found


@contextmanager
def placed(folder: Path) -> Iterator[Place]:
    """All three, until the end."""
    with running(Ehr(user="u-osei")) as ehr, running(Ehr()) as other:
        more = {
            "oidc": [{"name": "ward-idp", "issuer": ehr.url, "audience": "attending-api"}],
            "identities": [
                {
                    "name": WHO,
                    "tenant": "demo",
                    "kind": "human",
                    "roles": ["clinician"],
                    "display_name": "Dr Osei (demo)",
                    "oidc": [{"issuer": "ward-idp", "subject": "u-osei", "fhir_user": "Practitioner/u-osei"}],
                },
                {
                    "name": "dr-second",
                    "tenant": "demo",
                    "kind": "human",
                    "roles": ["clinician"],
                    "oidc": [{"issuer": "ward-idp", "subject": "u-second"}],
                },
            ],
            "console": {
                "frame_ancestors": [ehr.url],
                "smart": [
                    {
                        "name": "ward",
                        "fhir_base": ehr.fhir,
                        "provider": "ward-idp",
                        "tenant": "demo",
                        "client_id": CLIENT,
                        "allow_private": True,
                    }
                ],
            },
        }
        (folder / "more.json").write_text(json.dumps(more))
        server = Ward(folder / "data", REPLAY_FILE)
        with ended(server):
            server.start()
            yield Place(server, ehr, other)
            assert server.stop() == 0

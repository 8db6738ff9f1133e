"""Thin typed client that verifies every receipt it is given.

from attending.client import Client
with Client("localhost:50051", token="att_...", ca_path="ca.pem", log_key="...") as attending:
    result = attending.infer("discharge-plan", "Write ...", provider="embedded", model="...")
    print(result.state, result.output or result.ticket)
"""

from attending.client.admin import AdminClient
from attending.client.break_glass import BreakGlassClient
from attending.client.client import Client, Result, Ticket
from attending.client.connection import Connection
from attending.client.custody import CustodyClient
from attending.client.errors import AttendingApiError, ReceiptError
from attending.client.events import Acknowledged, Event, EventStream
from attending.client.examination import ExaminationClient
from attending.client.fhir import FhirClient
from attending.client.keys import KeyClient
from attending.client.knowledge import KnowledgeClient
from attending.client.notices import NoticeClient
from attending.client.oversight import OversightClient
from attending.client.people import EmergencyClient, PeopleClient
from attending.client.policy import PolicyClient
from attending.client.recall import RecallClient
from attending.client.report import ReportClient
from attending.client.review import PreparedSignature, ReviewClient

__all__ = [
    "Acknowledged",
    "AdminClient",
    "AttendingApiError",
    "BreakGlassClient",
    "Client",
    "Connection",
    "CustodyClient",
    "EmergencyClient",
    "Event",
    "EventStream",
    "ExaminationClient",
    "FhirClient",
    "KeyClient",
    "KnowledgeClient",
    "NoticeClient",
    "OversightClient",
    "PeopleClient",
    "PolicyClient",
    "PreparedSignature",
    "RecallClient",
    "ReceiptError",
    "ReportClient",
    "Result",
    "ReviewClient",
    "Ticket",
]

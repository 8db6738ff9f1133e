"""What every rpc gives: personal content, and then of which kind its entry is, or none, and then why not.

A test walks all rpcs of the wire contract and fails on one that is missing here; another fails on a request that gives
personal content without saying for which purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from attending.server.phi.access import Kind


@dataclass(frozen=True, slots=True)
class Gives:
    """Personal content. `kinds` are the entries that it may leave; `where` the path of the request's field that says
    why, or the reason for which the call itself says it."""

    kinds: tuple[Kind, ...]
    where: str


@dataclass(frozen=True, slots=True)
class GivesNone:
    """No personal content, and why that is so."""

    because: str


_OUTCOME: Final = Gives(("access.viewed",), "purpose_of_use")
_CHANGE: Final = Gives(("access.viewed", "access.searched"), "the change itself: keeping records (RECORDMGT)")
_LINE: Final = GivesNone("a line of the queue: random ids, a policy, counts, times, names of staff")
_ENTRY: Final = GivesNone("entries hold enums, counts, random ids and salted commitments; content is sealed")
_HASHES: Final = GivesNone("hashes, signatures and sizes")
_PROMPT: Final = GivesNone("a template is written for everybody; its variables are not stored with it")
_REPORT: Final = GivesNone("ids, counts and digests of reports, and names of staff")
_STAFF: Final = GivesNone("names, roles and dates of staff, who are no patients here")
_EXAMINATION: Final = GivesNone(
    "classes, indexes of entries and names of staff; notes are sealed and never given"
)
_EMERGENCY: Final = GivesNone("who had emergency access and when, and coded reasons")
_RECALL: Final = GivesNone(
    "random ids and pseudonyms, a policy, times, coded reasons, names of staff and of programs"
)
_NOTICE: Final = GivesNone("names of targets, ids of notices, counts and coded reasons")
_HALT: Final = GivesNone("what is halted, since when, by whom, and a coded reason")
_FACT: Final = GivesNone("a rule of the drug knowledge, and who attested it")
_VERSIONS: Final = GivesNone("hashes and numbers of versions of policies, and names of staff")
_SIMULATION: Final = GivesNone(
    "counts, codes, ids of inferences, and problems of a draft of the caller's own"
)
_FIGURES: Final = GivesNone("counts, shares and coded reasons of reviewers, who are no patients here")
_DRAW: Final = GivesNone("seeds, indexes, random ids, counts, policies and times")
_KEYS: Final = GivesNone(
    "kinds, generations, times and hashes of keys, no key; a subject is a random pseudonym"
)

CONTENT: Final[dict[str, Gives | GivesNone]] = {
    # A first answer is on record as `inference.released` with its purpose; one given again is viewed.
    "/attending.v1.InferenceService/Infer": Gives(("access.viewed",), "context.purpose_of_use"),
    "/attending.v1.InferenceService/StreamInfer": Gives(("access.viewed",), "request.context.purpose_of_use"),
    "/attending.v1.InferenceService/Record": Gives(("access.viewed",), "context.purpose_of_use"),
    "/attending.v1.InferenceService/GetInference": _OUTCOME,
    "/attending.v1.InferenceService/WatchInference": _OUTCOME,
    "/attending.v1.InferenceService/AckDelivery": _ENTRY,
    "/attending.v1.ReviewService/ListQueue": _LINE,
    "/attending.v1.ReviewService/GetItem": _OUTCOME,
    "/attending.v1.ReviewService/Claim": _LINE,
    "/attending.v1.ReviewService/ClaimNext": _LINE,
    "/attending.v1.ReviewService/Renew": _LINE,
    "/attending.v1.ReviewService/Dispose": _LINE,
    "/attending.v1.ReviewService/AddFacts": _LINE,
    "/attending.v1.ReviewService/PrepareSign": Gives(("access.revealed",), "purpose_of_use"),
    "/attending.v1.ReviewService/Sign": _LINE,
    "/attending.v1.ReviewService/Reject": _LINE,
    "/attending.v1.ReviewService/ReleaseLease": _LINE,
    "/attending.v1.ReviewService/Reassign": _LINE,
    "/attending.v1.ReviewService/Escalate": _LINE,
    "/attending.v1.ReviewService/RecordOpinion": _LINE,
    "/attending.v1.OversightService/GetSummary": _FIGURES,
    "/attending.v1.OversightService/ListFlaggedReviewers": _FIGURES,
    "/attending.v1.OversightService/GetReviewer": _FIGURES,
    "/attending.v1.OversightService/ListDraws": _DRAW,
    "/attending.v1.OversightService/OpenDraw": _DRAW,
    "/attending.v1.OversightService/ListSecondReads": _DRAW,
    "/attending.v1.OversightService/GetSecondRead": _OUTCOME,
    "/attending.v1.OversightService/DecideSecondRead": _DRAW,
    "/attending.v1.LedgerService/GetEntry": _ENTRY,
    "/attending.v1.LedgerService/GetReceipt": _ENTRY,
    "/attending.v1.LedgerService/GetCheckpoint": _HASHES,
    "/attending.v1.LedgerService/GetInclusionProof": _HASHES,
    "/attending.v1.LedgerService/GetConsistencyProof": _HASHES,
    "/attending.v1.LedgerService/ListEntries": _ENTRY,
    "/attending.v1.LedgerService/AppendBatch": _ENTRY,
    "/attending.v1.LedgerService/AppendStream": _ENTRY,
    "/attending.v1.LedgerService/CloseEmitter": _ENTRY,
    "/attending.v1.LedgerService/GetCompleteness": GivesNone("numbers of events, and names of emitters"),
    "/attending.v1.ReportService/Export": Gives(("access.exported",), "purpose"),
    "/attending.v1.ReportService/CreateReport": _REPORT,
    "/attending.v1.ReportService/EvaluateControls": GivesNone("counts and indexes of entries"),
    "/attending.v1.ReportService/GetReport": _REPORT,
    "/attending.v1.ReportService/ListReports": _REPORT,
    "/attending.v1.ReportService/PrepareSignOff": _REPORT,
    "/attending.v1.ReportService/SignOffReport": _REPORT,
    "/attending.v1.ReportService/IssueReport": _REPORT,
    "/attending.v1.ReportService/DiscardReport": _REPORT,
    "/attending.v1.ReportService/DownloadReport": GivesNone(
        "counts and entries, which hold commitments to texts and none of them"
    ),
    "/attending.v1.ReportService/ReconcileUsage": GivesNone(
        "counts, names of models, times, rows of a file and random ids"
    ),
    "/attending.v1.PromptService/CreateVersion": _PROMPT,
    "/attending.v1.PromptService/GetVersion": _PROMPT,
    "/attending.v1.PromptService/SetLabel": _PROMPT,
    "/attending.v1.PromptService/ListVersions": _PROMPT,
    "/attending.v1.AdminService/Halt": _HALT,
    "/attending.v1.AdminService/Resume": _HALT,
    "/attending.v1.AdminService/GetHalt": _HALT,
    "/attending.v1.KeyService/ListKeys": _KEYS,
    "/attending.v1.KeyService/RotateKey": _KEYS,
    "/attending.v1.KnowledgeService/AttestFact": _FACT,
    "/attending.v1.PolicyService/RequestActivation": _VERSIONS,
    "/attending.v1.PolicyService/ApproveActivation": _VERSIONS,
    "/attending.v1.PolicyService/RetirePolicy": _VERSIONS,
    "/attending.v1.PolicyService/ListActivations": _VERSIONS,
    "/attending.v1.PolicyService/GetStandby": GivesNone("counts, codes and ids of inferences"),
    "/attending.v1.PolicyService/ListHazards": GivesNone(
        "hazards as the policy's owner wrote them, and numbers"
    ),
    "/attending.v1.SimulationService/StartSimulation": _SIMULATION,
    "/attending.v1.SimulationService/GetSimulation": _SIMULATION,
    "/attending.v1.SimulationService/CancelSimulation": _SIMULATION,
    "/attending.v1.IdentityService/EnrolUser": _STAFF,
    "/attending.v1.IdentityService/ProofUser": _STAFF,
    "/attending.v1.IdentityService/RevokeUser": _STAFF,
    "/attending.v1.IdentityService/ListUsers": _STAFF,
    "/attending.v1.IdentityService/GetUser": _STAFF,
    "/attending.v1.IdentityService/IssueKey": _STAFF,
    "/attending.v1.IdentityService/RevokeKey": _STAFF,
    "/attending.v1.PasskeyService/IssuePasskeyCode": _STAFF,
    "/attending.v1.PasskeyService/ConfirmPasskeyCode": _STAFF,
    "/attending.v1.RecallService/Withdraw": _RECALL,
    "/attending.v1.RecallService/AckRecall": _RECALL,
    "/attending.v1.RecallService/ListRecalls": _RECALL,
    "/attending.v1.RecallService/ListCandidates": _RECALL,
    "/attending.v1.RecallService/GetCandidate": _OUTCOME,
    "/attending.v1.RecallService/DismissCandidate": _RECALL,
    "/attending.v1.BreakGlassService/BreakGlass": _RECALL,
    "/attending.v1.BreakGlassService/ListBreakGlass": _RECALL,
    "/attending.v1.BreakGlassService/ReviewBreakGlass": _RECALL,
    "/attending.v1.FhirService/GetResources": Gives(("access.exported",), "purpose_of_use"),
    "/attending.v1.NoticeService/ListNotices": _NOTICE,
    "/attending.v1.NoticeService/RetryNotice": _NOTICE,
    "/attending.v1.NoticeService/TestNotice": _NOTICE,
    **{
        f"/attending.v1.ExaminationService/{rpc}": _EXAMINATION
        for rpc in (
            "ListExceptions",
            "DisposeExceptions",
            "PrepareExamination",
            "SignExamination",
            "ListExaminations",
        )
    },
    "/attending.v1.EmergencyService/BeginEmergencyAccess": _EMERGENCY,
    "/attending.v1.EmergencyService/EndEmergencyAccess": _EMERGENCY,
    "/attending.v1.EmergencyService/ListEmergencyAccess": _EMERGENCY,
    "/attending.v1.EmergencyService/ReviewEmergencyAccess": _EMERGENCY,
    "/attending.v1.CustodyService/ShowSubject": Gives(("access.viewed", "access.searched"), "purpose_of_use"),
    "/attending.v1.CustodyService/LinkSubjects": _CHANGE,
    "/attending.v1.CustodyService/UnlinkSubjects": _CHANGE,
    "/attending.v1.CustodyService/PlaceHold": _CHANGE,
    "/attending.v1.CustodyService/LiftHold": _CHANGE,
    "/attending.v1.CustodyService/SuspendAccounting": _CHANGE,
    "/attending.v1.CustodyService/EraseSubject": _CHANGE,
    "/attending.v1.CustodyService/PrunePayloads": GivesNone("counts by kind of payload, and indexes"),
}

"""The Cedar action of every rpc and every page. What is not listed here is never served."""

from __future__ import annotations

from typing import Final

ACTIONS: Final[dict[str, str]] = {
    "/attending.v1.InferenceService/Infer": "infer",
    "/attending.v1.InferenceService/StreamInfer": "streamInfer",
    "/attending.v1.InferenceService/Record": "record",
    "/attending.v1.InferenceService/GetInference": "getInference",
    "/attending.v1.InferenceService/WatchInference": "watchInference",
    "/attending.v1.InferenceService/AckDelivery": "ackDelivery",
    "/attending.v1.ReviewService/ListQueue": "listQueue",
    "/attending.v1.ReviewService/GetItem": "getItem",
    "/attending.v1.ReviewService/Claim": "claim",
    "/attending.v1.ReviewService/ClaimNext": "claimNext",
    "/attending.v1.ReviewService/Renew": "renew",
    "/attending.v1.ReviewService/Dispose": "dispose",
    "/attending.v1.ReviewService/AddFacts": "addFacts",
    "/attending.v1.ReviewService/PrepareSign": "prepareSign",
    "/attending.v1.ReviewService/Sign": "sign",
    "/attending.v1.ReviewService/Reject": "reject",
    "/attending.v1.ReviewService/ReleaseLease": "releaseLease",
    "/attending.v1.ReviewService/Reassign": "reassign",
    "/attending.v1.ReviewService/Escalate": "escalate",
    "/attending.v1.ReviewService/RecordOpinion": "recordOpinion",
    "/attending.v1.RecallService/Withdraw": "withdraw",
    "/attending.v1.RecallService/AckRecall": "ackRecall",
    "/attending.v1.RecallService/ListRecalls": "listRecalls",
    "/attending.v1.RecallService/ListCandidates": "listCandidates",
    "/attending.v1.RecallService/GetCandidate": "getCandidate",
    "/attending.v1.RecallService/DismissCandidate": "dismissCandidate",
    "/attending.v1.BreakGlassService/BreakGlass": "breakGlass",
    "/attending.v1.BreakGlassService/ListBreakGlass": "listBreakGlass",
    "/attending.v1.BreakGlassService/ReviewBreakGlass": "reviewBreakGlass",
    "/attending.v1.FhirService/GetResources": "getResources",
    "/attending.v1.NoticeService/ListNotices": "listNotices",
    "/attending.v1.NoticeService/RetryNotice": "retryNotice",
    "/attending.v1.NoticeService/TestNotice": "testNotice",
    "/attending.v1.LedgerService/GetEntry": "getEntry",
    "/attending.v1.LedgerService/GetReceipt": "getReceipt",
    "/attending.v1.LedgerService/GetCheckpoint": "getCheckpoint",
    "/attending.v1.LedgerService/GetInclusionProof": "getInclusionProof",
    "/attending.v1.LedgerService/GetConsistencyProof": "getConsistencyProof",
    "/attending.v1.LedgerService/ListEntries": "listEntries",
    "/attending.v1.LedgerService/AppendBatch": "appendBatch",
    "/attending.v1.LedgerService/AppendStream": "appendStream",
    "/attending.v1.LedgerService/CloseEmitter": "closeEmitter",
    "/attending.v1.LedgerService/GetCompleteness": "getCompleteness",
    "/attending.v1.ReportService/Export": "export",
    "/attending.v1.ReportService/CreateReport": "createReport",
    "/attending.v1.ReportService/EvaluateControls": "evaluateControls",
    "/attending.v1.ReportService/GetReport": "getReport",
    "/attending.v1.ReportService/ListReports": "listReports",
    "/attending.v1.ReportService/PrepareSignOff": "prepareSignOff",
    "/attending.v1.ReportService/SignOffReport": "signOffReport",
    "/attending.v1.ReportService/IssueReport": "issueReport",
    "/attending.v1.ReportService/DiscardReport": "discardReport",
    "/attending.v1.ReportService/DownloadReport": "downloadReport",
    "/attending.v1.ReportService/ReconcileUsage": "reconcileUsage",
    "/attending.v1.PromptService/CreateVersion": "createVersion",
    "/attending.v1.PromptService/GetVersion": "getVersion",
    "/attending.v1.PromptService/SetLabel": "setLabel",
    "/attending.v1.PromptService/ListVersions": "listVersions",
    "/attending.v1.AdminService/Halt": "halt",
    "/attending.v1.AdminService/Resume": "resume",
    "/attending.v1.AdminService/GetHalt": "getHalt",
    "/attending.v1.KeyService/ListKeys": "listKeys",
    "/attending.v1.KeyService/RotateKey": "rotateKey",
    "/attending.v1.KnowledgeService/AttestFact": "attestFact",
    "/attending.v1.PolicyService/RequestActivation": "requestActivation",
    "/attending.v1.PolicyService/ApproveActivation": "approveActivation",
    "/attending.v1.PolicyService/RetirePolicy": "retirePolicy",
    "/attending.v1.PolicyService/ListActivations": "listActivations",
    "/attending.v1.PolicyService/ListHazards": "listHazards",
    "/attending.v1.PolicyService/GetStandby": "getStandby",
    "/attending.v1.SimulationService/StartSimulation": "startSimulation",
    "/attending.v1.SimulationService/GetSimulation": "getSimulation",
    "/attending.v1.SimulationService/CancelSimulation": "cancelSimulation",
    "/attending.v1.CustodyService/ShowSubject": "showSubject",
    "/attending.v1.CustodyService/LinkSubjects": "linkSubjects",
    "/attending.v1.CustodyService/UnlinkSubjects": "unlinkSubjects",
    "/attending.v1.CustodyService/PlaceHold": "placeHold",
    "/attending.v1.CustodyService/LiftHold": "liftHold",
    "/attending.v1.CustodyService/SuspendAccounting": "suspendAccounting",
    "/attending.v1.CustodyService/EraseSubject": "eraseSubject",
    "/attending.v1.CustodyService/PrunePayloads": "prunePayloads",
    "/attending.v1.IdentityService/EnrolUser": "enrolUser",
    "/attending.v1.IdentityService/ProofUser": "proofUser",
    "/attending.v1.IdentityService/RevokeUser": "revokeUser",
    "/attending.v1.IdentityService/ListUsers": "listUsers",
    "/attending.v1.IdentityService/GetUser": "getUser",
    "/attending.v1.IdentityService/IssueKey": "issueKey",
    "/attending.v1.IdentityService/RevokeKey": "revokeKey",
    "/attending.v1.PasskeyService/IssuePasskeyCode": "issuePasskeyCode",
    "/attending.v1.PasskeyService/ConfirmPasskeyCode": "confirmPasskeyCode",
    "/attending.v1.OversightService/GetSummary": "getSummary",
    "/attending.v1.OversightService/ListDraws": "listDraws",
    "/attending.v1.OversightService/OpenDraw": "openDraw",
    "/attending.v1.OversightService/ListFlaggedReviewers": "listFlaggedReviewers",
    "/attending.v1.OversightService/GetReviewer": "getReviewer",
    "/attending.v1.OversightService/ListSecondReads": "listSecondReads",
    "/attending.v1.OversightService/GetSecondRead": "getSecondRead",
    "/attending.v1.OversightService/DecideSecondRead": "decideSecondRead",
    "/attending.v1.EmergencyService/BeginEmergencyAccess": "beginEmergencyAccess",
    "/attending.v1.EmergencyService/EndEmergencyAccess": "endEmergencyAccess",
    "/attending.v1.EmergencyService/ListEmergencyAccess": "listEmergencyAccess",
    "/attending.v1.EmergencyService/ReviewEmergencyAccess": "reviewEmergencyAccess",
    "/attending.v1.ExaminationService/ListExceptions": "listExceptions",
    "/attending.v1.ExaminationService/DisposeExceptions": "disposeExceptions",
    "/attending.v1.ExaminationService/PrepareExamination": "prepareExamination",
    "/attending.v1.ExaminationService/SignExamination": "signExamination",
    "/attending.v1.ExaminationService/ListExaminations": "listExaminations",
}

PAGES: Final[dict[str, dict[str, str]]] = {
    "/{path:path}": {
        "checkpoint": "getCheckpoint",
        "introduction": "getCheckpoint",
        "tile": "getInclusionProof",
        "entries": "listEntries",
    },
}
"""Path of every HTTP route, as Starlette writes it, to the action of each kind of resource that it serves."""

DISCLOSE_PAYLOADS: Final = "disclosePayloads"
"""Asked for besides `export` when a bundle shall hold personal content."""

REPORT_ON_PERSON: Final = "reportOnPerson"
"""Asked for besides `createReport` and `downloadReport` when a report is about one person by name of the log."""

APPEND_EVENT: Final = "appendEvent"
"""Asked for besides the call itself for each type of event in it."""

PUBLIC_PREFIXES: Final = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1alpha.ServerReflection/",
)
"""Served without a credential. Reflection is registered in the embedded mode only."""


def is_public(method: str) -> bool:
    """True for the methods that hold no data of a tenant."""
    return method.startswith(PUBLIC_PREFIXES)

"""The console's routes, each with the action that the authorisation policies are asked for."""

from __future__ import annotations

from attending.server.console.examination import ExaminationPages
from attending.server.console.facts import FactsForm
from attending.server.console.gate import Gate
from attending.server.console.glass import GlassPages
from attending.server.console.guard import Address, Guard
from attending.server.console.item import ItemPage
from attending.server.console.launch import LaunchPages
from attending.server.console.live import Live
from attending.server.console.oversight import OversightPages
from attending.server.console.passkeys import PasskeyPages
from attending.server.console.policies import PolicyPages
from attending.server.console.queue import QueuePage
from attending.server.console.reading import Readings
from attending.server.console.recalls import RecallPages
from attending.server.console.render import STATIC, Pages
from attending.server.console.reports import ReportPages
from attending.server.console.second_reads import SecondReadPages
from attending.server.console.signature import Signature
from attending.server.console.signin import SignIn
from attending.server.console.steps import Steps
from attending.server.console.stop import StopPage
from attending.server.console.whatif import WhatIfPages
from attending.server.console.worklist import WorklistPages
from attending.server.errors import NotFound
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

YEAR_SECONDS = 31_536_000


class Assets(StaticFiles):
    """The console's own files. What a page names has a digest in its address, so that a browser may keep it; what one
    module imports from another has none, and is asked for again, lest an old one be run with a new one.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kept = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = (
            f"public, max-age={YEAR_SECONDS}, immutable" if kept else "no-cache"
        )
        return response


def application(
    *,
    gate: Gate,
    address: Address,
    pages: Pages,
    sign_in: SignIn,
    queue: QueuePage,
    item: ItemPage,
    steps: Steps,
    facts: FactsForm,
    signature: Signature,
    readings: Readings,
    passkeys: PasskeyPages,
    recalls: RecallPages,
    glass: GlassPages,
    live: Live,
    policies: PolicyPages,
    stop: StopPage,
    examination: ExaminationPages,
    oversight: OversightPages,
    second_reads: SecondReadPages,
    launches: LaunchPages,
    worklist: WorklistPages,
    whatif: WhatIfPages,
    reports: ReportPages,
) -> Starlette:

    async def missing(request: Request, _error: Exception) -> Response:
        return gate.answer(request, NotFound("UNKNOWN_RESOURCE"))

    async def failed(request: Request, error: Exception) -> Response:
        return gate.answer(request, error)

    routes: list[BaseRoute] = [
        Route("/", gate.front(gate.behind("listQueue", "ReviewService/ListQueue", queue))),
        # That something changed, and no more: for everybody who has a page open.
        Route("/live", gate.behind(None, "Session/Live", live, in_frames=True)),
        Route("/items/{ticket}", gate.behind("getItem", "ReviewService/GetItem", item, in_frames=True)),
        *(
            Route(
                f"/items/{{ticket}}/{path}",
                # What releases without a signature, or takes back, is done in a window of its own.
                gate.behind(action, rpc, step, in_frames=path not in ("withdraw", "break-glass")),
                methods=["POST"],
            )
            for path, action, rpc, step in (
                ("status", "listQueue", "ReviewService/ListQueue", steps.status),
                ("claim", "claim", "ReviewService/Claim", steps.claim),
                ("renew", "renew", "ReviewService/Renew", steps.renew),
                ("release", "releaseLease", "ReviewService/ReleaseLease", steps.release),
                ("reassign", "reassign", "ReviewService/Reassign", steps.reassign),
                ("opinion", "recordOpinion", "ReviewService/RecordOpinion", steps.opinion),
                ("escalate", "escalate", "ReviewService/Escalate", steps.escalate),
                ("dispose", "dispose", "ReviewService/Dispose", steps.dispose),
                ("facts", "addFacts", "ReviewService/AddFacts", facts.add),
                # As dear as a disposition: the rails run.
                ("check", "prepareSign", "ReviewService/Dispose", steps.check),
                ("reject", "reject", "ReviewService/Reject", steps.reject),
                ("prepare", "prepareSign", "ReviewService/Dispose", signature.prepare),
                ("sign", "sign", "ReviewService/Sign", signature.sign),
                ("reading", "listQueue", "ReviewService/ListQueue", readings.told),
                ("withdraw", "withdraw", "RecallService/Withdraw", recalls.withdraw),
                ("break-glass", "breakGlass", "BreakGlassService/BreakGlass", glass.use),
            )
        ),
        *(
            Route(path, gate.behind(action, rpc, handler), methods=[method])
            for path, method, action, rpc, handler in (
                ("/recalls", "GET", "listRecalls", "RecallService/ListRecalls", recalls.page),
                ("/recalls", "POST", "withdraw", "RecallService/Withdraw", recalls.withdraw),
                ("/recalls/{inference}", "POST", "ackRecall", "RecallService/AckRecall", recalls.acknowledge),
                ("/break-glass", "GET", "listBreakGlass", "BreakGlassService/ListBreakGlass", glass.page),
                (
                    "/break-glass/{inference}",
                    "POST",
                    "reviewBreakGlass",
                    "BreakGlassService/ReviewBreakGlass",
                    glass.review,
                ),
            )
        ),
        *(
            Route(path, gate.behind(action, rpc, handler), methods=[method])
            for path, method, action, rpc, handler in (
                ("/worklist", "GET", "listCandidates", "RecallService/ListCandidates", worklist.page),
                (
                    "/worklist/{inference}",
                    "GET",
                    "getCandidate",
                    "RecallService/GetCandidate",
                    worklist.one,
                ),
                (
                    "/worklist/{inference}",
                    "POST",
                    "dismissCandidate",
                    "RecallService/DismissCandidate",
                    worklist.dismiss,
                ),
            )
        ),
        Route("/policies", gate.behind("listActivations", "PolicyService/ListActivations", policies.table)),
        Route(
            "/policies/{name}", gate.behind("listActivations", "PolicyService/ListActivations", policies.one)
        ),
        Route(
            "/policies/{name}/standby",
            gate.behind("getStandby", "PolicyService/GetStandby", policies.standby),
        ),
        Route(
            "/policies/{name}/hazards",
            gate.behind("listHazards", "PolicyService/ListHazards", policies.hazards),
        ),
        *(
            Route(
                f"/policies/{{name}}/{path}",
                gate.behind(action, f"PolicyService/{rpc}", step),
                methods=["POST"],
            )
            for path, action, rpc, step in (
                ("request", "requestActivation", "RequestActivation", policies.request),
                ("approve", "approveActivation", "ApproveActivation", policies.approve),
            )
        ),
        *(
            Route(
                f"/policies/{{name}}/{path}",
                gate.behind(action, f"SimulationService/{rpc}", handler),
                methods=[method],
            )
            for path, method, action, rpc, handler in (
                ("what-if", "GET", "getSimulation", "GetSimulation", whatif.page),
                ("what-if", "POST", "startSimulation", "StartSimulation", whatif.start),
                ("what-if/cancel", "POST", "cancelSimulation", "CancelSimulation", whatif.cancel),
            )
        ),
        Route(
            "/examination", gate.behind("listExceptions", "ExaminationService/ListExceptions", examination)
        ),
        Route(
            "/examination/entries/{index}",
            gate.behind("getEntry", "LedgerService/GetEntry", examination.entry),
        ),
        *(
            Route(
                f"/examination/{path}",
                gate.behind(action, f"ExaminationService/{rpc}", step),
                methods=["POST"],
            )
            for path, action, rpc, step in (
                ("dispose", "disposeExceptions", "DisposeExceptions", examination.dispose),
                ("prepare", "prepareExamination", "PrepareExamination", examination.prepare),
                ("sign", "signExamination", "SignExamination", examination.sign),
            )
        ),
        *(
            Route(path, gate.behind(action, f"OversightService/{rpc}", page))
            for path, action, rpc, page in (
                ("/oversight", "getSummary", "GetSummary", oversight.summary),
                ("/reviewers", "listFlaggedReviewers", "ListFlaggedReviewers", oversight.reviewers),
                ("/reviewers/{name}", "getReviewer", "GetReviewer", oversight.reviewer),
            )
        ),
        *(
            Route(path, gate.behind(action, f"OversightService/{rpc}", handler), methods=[method])
            for path, method, action, rpc, handler in (
                ("/second-reads", "GET", "listSecondReads", "ListSecondReads", second_reads.table),
                ("/second-reads/{read}", "GET", "getSecondRead", "GetSecondRead", second_reads.one),
                ("/second-reads/{read}", "POST", "decideSecondRead", "DecideSecondRead", second_reads.decide),
            )
        ),
        *(
            Route(path, gate.behind(action, f"ReportService/{rpc}", handler), methods=[method])
            for path, method, action, rpc, handler in (
                ("/reports", "GET", "listReports", "ListReports", reports.table),
                ("/reports", "POST", "createReport", "CreateReport", reports.create),
                ("/reports/new", "GET", "createReport", "CreateReport", reports.form),
                ("/reports/{report}", "GET", "getReport", "GetReport", reports.one),
                ("/reports/{report}/again", "POST", "getReport", "GetReport", reports.again),
                ("/reports/{report}/files/{file}", "POST", "downloadReport", "DownloadReport", reports.file),
                ("/reports/{report}/prepare", "POST", "prepareSignOff", "PrepareSignOff", reports.prepare),
                ("/reports/{report}/sign", "POST", "signOffReport", "SignOffReport", reports.sign),
                ("/reports/{report}/issue", "POST", "issueReport", "IssueReport", reports.issue),
            )
        ),
        Route("/stop", gate.behind("getHalt", "AdminService/GetHalt", stop)),
        Route("/stop/halt", gate.behind("halt", "AdminService/Halt", stop.halt), methods=["POST"]),
        Route("/stop/resume", gate.behind("resume", "AdminService/Resume", stop.resume), methods=["POST"]),
        Route("/sign-in", gate.open(sign_in.page)),
        Route("/sign-in/oidc/{provider}", gate.open(sign_in.to_provider)),
        Route("/sign-in/oidc/{provider}/back", gate.open(sign_in.from_provider)),
        Route("/sign-in/links", gate.open(sign_in.make_link), methods=["POST"]),
        Route("/sign-in/link", gate.open(sign_in.link_page), methods=["GET"]),
        Route("/sign-in/link", gate.open(sign_in.by_link), methods=["POST"]),
        # What concerns the session alone is its person's own: no policy is asked.
        Route(
            "/session/out",
            gate.behind(None, "Session/Out", sign_in.sign_out, in_frames=True),
            methods=["POST"],
        ),
        Route("/session/others", gate.behind(None, "Session/Others", sign_in.end_others), methods=["POST"]),
        Route(
            "/session/active",
            gate.behind(None, "Session/Active", sign_in.active, in_frames=True),
            methods=["POST"],
        ),
        Route("/smart/launch", gate.open(launches.launch)),
        Route("/smart/begin/{system}", gate.open(launches.begin)),
        Route("/smart/back", gate.open(launches.back)),
        Route("/smart/ended", gate.open(launches.ended)),
        Route("/smart/jwks.json", gate.open(launches.keys)),
        Route(
            "/smart/patients/{launch}",
            gate.behind("listQueue", "ReviewService/ListQueue", launches.patient, in_frames=True),
        ),
        Route("/sign-in/passkey/begin", gate.open(passkeys.begin_sign_in), methods=["POST"]),
        Route("/sign-in/passkey", gate.open(passkeys.finish_sign_in), methods=["POST"]),
        Route("/account", gate.behind(None, "Session/Account", passkeys.account)),
        Route("/passkey", gate.open(passkeys.page)),
        Route("/passkey/begin", gate.open(passkeys.begin), methods=["POST"]),
        Route("/passkey", gate.open(passkeys.finish), methods=["POST"]),
        Mount("/static", Assets(directory=STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, address=address)],
        exception_handlers={404: missing, 405: missing, Exception: failed},
    )

"""The gate as a component: check processes, providers, prompts and pipeline, with the services over them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc
import structlog
from attending.guardrails.knowledge.load import DEFAULT, Pack
from attending.guardrails.policy.load import PolicyError, PolicySet
from attending.guardrails.pool import GuardPool
from attending.ledger.errors import LedgerError
from attending.server.activation.registry import Registry, Served, not_acted_on
from attending.server.activation.reload import Reloader
from attending.server.activation.serving import Generation, Serving
from attending.server.app import App, Component, policies_folder
from attending.server.content_hash import digits
from attending.server.errors import ConfigurationError
from attending.server.halt.switch import Switch
from attending.server.inference.active import record_active, require_supported
from attending.server.inference.failed_rails import tell_missing
from attending.server.inference.owners import Owners
from attending.server.inference.pipeline import Pipeline
from attending.server.inference.recovery import abandon_orphans
from attending.server.inference.watch import Changes
from attending.server.prompts.registry import PromptRegistry
from attending.server.providers.configure import ConfiguredProvider, configure_providers
from attending.server.services.inference import InferenceService
from attending.server.services.prompts import PromptService
from attending.v1 import inference_pb2, inference_pb2_grpc, prompt_pb2, prompt_pb2_grpc

log = structlog.get_logger()


class Gate(Component):
    """InferenceService and PromptService, and the processes behind them."""

    services = (
        inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name,
        prompt_pb2.DESCRIPTOR.services_by_name["PromptService"].full_name,
    )

    def __init__(
        self,
        app: App,
        serving: Serving,
        reloader: Reloader,
        providers: dict[str, ConfiguredProvider],
        pipeline: Pipeline,
        prompts: PromptRegistry,
        changes: Changes,
        owners: Owners,
        registry: Registry,
    ) -> None:
        self._app = app
        self._registry = registry
        self._owners = owners
        self._sweeping: asyncio.Task[None] | None = None
        self._serving = serving
        self._reloader = reloader
        self._providers = providers
        self._pipeline = pipeline
        self._inference = InferenceService(app.ledger, pipeline, serving.policies, changes, app.phi)
        self._prompts = PromptService(app.ledger, prompts)

    def register(self, server: grpc.aio.Server) -> None:
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(self._inference, server)
        prompt_pb2_grpc.add_PromptServiceServicer_to_server(self._prompts, server)

    async def start(self) -> None:
        await _start(self._serving.now)
        app = self._app
        await self._owners.start()
        await record_active(self._registry, app.tenants, app.owner, app.config.policies.installed_by)
        await self._sweep()
        if app.ledger.shared:
            self._sweeping = asyncio.create_task(self._sweep_on(), name="abandoned calls")

    def ready(self) -> bool:
        return self._serving.now.guard.ready()

    async def drain(self) -> None:
        await self._pipeline.drain()

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
        await self._owners.close()
        for configured in self._providers.values():
            await configured.provider.close()
        await self._reloader.close()
        await self._serving.close()

    async def _sweep(self) -> None:
        await abandon_orphans(self._app.ledger, self._app.tenants, self._owners, self._app.now)

    async def _sweep_on(self) -> None:
        """As long as the server runs: the process beside this one may die at any time."""
        while True:
            await asyncio.sleep(self._owners.beat_seconds)
            try:
                await self._sweep()
            except LedgerError as err:
                # What is open stays open, and nothing of it was released.
                log.warning("recovery.sweep_failed", reason=err.reason)
            except Exception as err:
                # Nothing may end the sweep while the server runs.
                log.error("recovery.sweep_failed", error_type=type(err).__name__)


class _Loader:
    """Reads what lies in the configured folders and makes generations of it."""

    def __init__(self, app: App) -> None:
        self._config = app.config
        self.folder = policies_folder(app.config)

    def offered(self) -> Served:
        """What lies there now. Raises PolicyError, PackError, ConfigurationError, OSError."""
        policies = PolicySet.load(self.folder)
        require_supported(policies)
        pack = Pack.read(self._config.knowledge.folder or DEFAULT)
        return Served(
            {name: digits(policy.hash) for name, policy in policies.items()}, digits(str(pack.hash))
        )

    def generation(self) -> Generation:
        """Its checks are not started. Raises as `offered`."""
        policies = PolicySet.load(self.folder)
        require_supported(policies)
        guard = self._config.guard
        pool = GuardPool(
            workers=guard.workers,
            policies_path=self.folder,
            knowledge_path=self._config.knowledge.folder,
            timeout_seconds=guard.timeout_seconds,
            max_memory_mb=guard.max_memory_mb,
        )
        return Generation(policies, pool)

    async def load(self) -> Generation:
        """One whose checks run. Raises as `offered`, and GuardError."""
        generation = await asyncio.to_thread(self.generation)
        await _start(generation)
        return generation


async def _start(generation: Generation) -> None:
    """Starts its checks and says what of its policies this version does not do."""
    await generation.guard.start()
    if isinstance(generation.guard, GuardPool):
        tell_missing(generation.guard.missing_rails)
    for policy in generation.policies.values():
        if not_acted_on(policy):
            log.warning("policy.settings_not_acted_on", policy=policy.name)


async def build(app: App) -> Gate:
    """Offers Serving, Reloader, Changes, Switch, Registry and Pipeline to later components."""
    loader = _Loader(app)
    try:
        serving = Serving(loader.generation())
    except PolicyError as err:
        raise ConfigurationError(str(err), "correct the policy and start again", reason=err.reason) from err
    providers = configure_providers(app.config.providers)
    changes = Changes()
    prompts = PromptRegistry(app.ledger, app.now)
    registry = Registry(
        app.ledger,
        serving.policies,
        loader.folder,
        app.config.knowledge.folder,
        lambda: serving.knowledge_hash,
        app.now,
    )
    reloader = Reloader(serving, registry, app.tenants, loader.offered, loader.load)
    registry.loading = reloader.loading
    switch = Switch(app.ledger, app.now, registry)
    owners = Owners(app.ledger, app.owner, lease_seconds=app.config.storage.owner_lease_seconds)
    pipeline = Pipeline(
        ledger=app.ledger,
        serving=serving,
        providers=providers,
        prompts=prompts,
        changes=changes,
        owners=owners,
        switch=switch,
        now=app.now,
        residency={t.name: frozenset(t.allowed_residency) for t in app.config.tenants},
        max_open=2 * app.config.server.max_concurrent_rpcs,
    )
    for part in (serving, reloader, changes, switch, registry, pipeline):
        app.add(part)
    return Gate(app, serving, reloader, providers, pipeline, prompts, changes, owners, registry)

"""SimulationService. The draft has a fault, so that nothing runs."""

from __future__ import annotations

from attending.v1 import simulation_pb2

from tests.matrix.making import Things, maker


@maker("SimulationService/StartSimulation", "safety_officer", own=True)
def start(_things: Things) -> simulation_pb2.StartSimulationRequest:
    request = simulation_pb2.StartSimulationRequest(policy="patient-triage", policy_yaml="name: [")
    request.since.FromSeconds(1_700_000_000)
    request.until.FromSeconds(1_700_000_001)
    return request


@maker("SimulationService/GetSimulation", "safety_officer", own=True)
def get(_things: Things) -> simulation_pb2.GetSimulationRequest:
    return simulation_pb2.GetSimulationRequest()


@maker("SimulationService/CancelSimulation", "safety_officer", own=True)
def cancel(_things: Things) -> simulation_pb2.CancelSimulationRequest:
    return simulation_pb2.CancelSimulationRequest()

"""The manifests of our own rails, to be compiled beside NeMo's library by `rails.nemo`."""

from __future__ import annotations

from typing import Any, Final

DOCUMENT_FLOW: Final = "document checks"
"""The rail of the retrieval that judges the documents by a policy's limits."""

PHI_FLOW: Final = "phi input"
"""The rail that replaces identifiers before a model sees prompt and documents."""

OWN_FLOWS: Final[dict[str, tuple[str, str]]] = {
    PHI_FLOW: ("input", "phi_input"),
    "injection input": ("input", "injection_input"),
    "toxicity input": ("input", "toxicity_input"),
    "self-harm input": ("input", "self_harm_input"),
    "scope of use input": ("input", "scope_of_use_input"),
    DOCUMENT_FLOW: ("retrieval", "document_checks"),
    "clinical checks": ("output", "clinical_checks"),
    "phi output": ("output", "phi_output"),
    "injection output": ("output", "injection_output"),
    "toxicity output": ("output", "toxicity_output"),
    "self-harm output": ("output", "self_harm_output"),
    "scope of use output": ("output", "scope_of_use_output"),
    "clinical recommendation": ("output", "clinical_recommendation"),
}
"""Flow name to stage (input, retrieval, output) and action of `rails.actions` or `rails.language`.

A rail of the retrieval judges the documents, before the model has answered and again beside its answer. It is given
them joined as `text`, and one by one in `current_request().documents`.
"""

DIALOG_FLOW: Final = "dialog input"
"""The rail that runs a policy's Colang dialog flows, where `rails.dialog` declares them."""

_ACTIONS: Final = "attending.guardrails.rails.actions"
_LANGUAGE: Final = "attending.guardrails.rails.language"
_OF_LANGUAGE: Final = ("toxicity", "self_harm", "scope_of_use")


def manifests() -> tuple[Any, ...]:
    """One NeMo RailManifest a flow. Imports NeMo, so call it inside a guard only."""
    from nemoguardrails.actions.rail_outcome import TransformTarget
    from nemoguardrails.manifests import (
        ActionRef,
        Binding,
        RailActions,
        RailDirection,
        RailFlows,
        RailManifest,
        RailMetadata,
        RailPrivacy,
        RailSpec,
        RailSurface,
    )

    built = []
    for flow, (direction, action) in OWN_FLOWS.items():
        home = _LANGUAGE if action.startswith(_OF_LANGUAGE) else _ACTIONS
        reference = ActionRef(name=f"attending_{action}", target=f"{home}:{action}")
        key = "user_message" if direction == "input" else "bot_message"
        surface = RailSurface(
            name=flow,
            direction=RailDirection(direction),
            action=reference,
            bindings=(Binding.context("text", key),),
            transform_target=TransformTarget.USER_MESSAGE if flow == PHI_FLOW else None,
        )
        built.append(
            RailManifest(
                name=f"attending_{action}",
                metadata=RailMetadata(display_name=flow, owner="attending"),
                spec=RailSpec(
                    flows=RailFlows(files=(), v1_files=(), flow_names=(flow,)),
                    actions=RailActions(refs=(reference,)),
                    surfaces=(surface,),
                    # Everything runs in this process; nothing leaves the machine.
                    privacy=RailPrivacy(),
                ),
            )
        )
    return tuple(built)

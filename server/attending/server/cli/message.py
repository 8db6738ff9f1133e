"""Messages and enums of the wire contract as a terminal shows them and takes them."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def as_json_line(message: Message) -> str:
    """One line of JSON with every field, by its name in the contract."""
    value = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def choices(enum: Any, *, without: int = 0) -> dict[str, Any]:
    """What an option takes for an enum of the contract: `HALT_REASON_MODEL_FAULT` is `model-fault`. Without its zero,
    which the server rejects, and `without` a value that no caller may ask for. From the contract, so that a list of
    choices cannot fall behind it.
    """
    return {
        word(enum, number).replace(" ", "-"): number for number in enum.values() if number not in (0, without)
    }


def word(enum: Any, number: int) -> str:
    """A value of an enum in words: `HALT_REASON_MODEL_FAULT` is `model fault`."""
    name: str = enum.Name(number)
    prefix: str = enum.Name(0).removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower().replace("_", " ")

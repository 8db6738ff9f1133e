"""What every section is made of: strict, frozen models, and the types of names, paths and places."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

from attending.server.auth.principal import NAME
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationInfo

MIB: Final = 1024 * 1024


def _based(value: object, info: ValidationInfo) -> object:
    """Paths are relative to the folder of the configuration file."""
    if isinstance(value, str) and value and "\x00" not in value:
        base: Path = (info.context or {}).get("base", Path())
        return base / Path(value).expanduser()
    return value


FilePath = Annotated[Path, BeforeValidator(_based)]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
TenantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
URL_PATH: Final = rf"{_SEGMENT}(/{_SEGMENT})*"
"""Segments that need no escaping, none of which begins with a dot."""
Place = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?|EEA)$")]
"""An ISO 3166-1 country, an ISO 3166-2 part of one, or `EU` or `EEA`."""
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]{0,127}$")]


class Section(BaseModel):
    """A table of the file: unknown keys and wrong types are refused, and nothing changes after."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a field holds, alone or in a list; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if isinstance(argument, type) and issubclass(argument, Section):
            return argument
    return None

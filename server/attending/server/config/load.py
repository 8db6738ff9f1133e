"""A TOML file read into the models; each key that is wrong is named, and its value never."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from attending.server.config.base import section_of
from attending.server.config.model import Config
from attending.server.errors import ConfigurationError
from pydantic import BaseModel, ValidationError


def load_config(path: Path) -> Config:
    """The configuration in a TOML file; ConfigurationError names every key that is wrong and never its value."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise ConfigurationError(
            f"configuration `{path}` cannot be read ({type(err).__name__})",
            "give the path of a TOML file with --config, or leave it out for the embedded mode",
        ) from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        where = re.search(r"\(at [^)]*\)", str(err))
        raise ConfigurationError(
            f"configuration `{path}` is not TOML {where.group() if where else ''}".rstrip(),
            "correct the file at the place named",
        ) from err
    return parse_config(data, path.resolve().parent)


def parse_config(data: dict[str, Any], base: Path) -> Config:
    """The configuration in parsed TOML; relative paths are relative to `base`."""
    try:
        return Config.model_validate(data, context={"base": base})
    except ValidationError as err:
        problems = [_problem(error["type"], error["loc"], error["msg"]) for error in err.errors()]
        raise ConfigurationError(
            "; ".join(problems), "see docs/configuration.md or `attending config reference`"
        ) from None


def _problem(kind: str, loc: tuple[int | str, ...], message: str) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    if kind == "missing":
        return f"`{path}` is required"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), _names_at(loc[:-1]), 1, 0.5)
        return f"unknown key `{path}`" + (f", did you mean `{near[0]}`" if near else "")
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return f"`{path}` {text}" if path else text


def _names_at(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in loc:
        if isinstance(part, str):
            inner = section_of(model.model_fields[part].annotation)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)

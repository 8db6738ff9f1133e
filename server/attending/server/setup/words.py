"""The texts of `attending init`: the systemd unit, and the steps that are left, each with its command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attending.server.setup.plan import Choices

DRAIN_SECONDS: Final = 90
"""Longer than `server.drain_seconds` and what follows it: a kill loses nothing, and calls end better without."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a person has to do; `commands` may hold words in capitals to be replaced."""

    what: str
    commands: tuple[str, ...] = ()

    def markdown(self, number: int) -> str:
        if not self.commands:
            return f"{number}. {self.what}"
        lines = "\n".join(f"   {line}" for line in ("```sh", *self.commands, "```"))
        return f"{number}. {self.what}\n\n{lines}"

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "commands": list(self.commands)}


def next_steps(choices: Choices, identities: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """What is left to do, in order; the last is the doctor, who says whether it was done."""
    folder = choices.folder
    path = shlex.quote(str(folder / "attending.toml"))
    check = Step(
        "Ask whether all is well. Repeat it until nothing is red:", (f"attending doctor --config {path}",)
    )
    serve = Step("Start the server:", (f"attending serve --config {path}",))
    if not choices.production:
        app = next((one for one in identities.values() if one["role"] == "app"), None)
        steps = [check, serve]
        if app is not None:
            steps.append(
                Step(
                    "In another terminal, ask whether it serves:",
                    (
                        f"attending health --server localhost:{choices.token_port} "
                        f"--ca {shlex.quote(str(folder / 'tls/clients-ca.pem'))}",
                    ),
                )
            )
        return steps
    steps = []
    if choices.with_authority:
        steps.append(
            Step(
                "The authority that issued every certificate here signs for whoever has its key. Move it to a place "
                "without a network:",
                (f"mv {shlex.quote(str(folder / 'authority/ca.key'))} /PLACE/WITHOUT/NETWORK/",),
            )
        )
    else:
        steps.append(
            Step(
                "Have your certificate authority issue the server's certificate from tls/server.csr, and put it, "
                "followed by its issuers, where the configuration names it. The authority of client certificates goes "
                "beside it:",
                (
                    f"openssl req -in {shlex.quote(str(folder / 'tls/server.csr'))} -noout -text",
                    f"install -m 644 ISSUED.pem {shlex.quote(str(folder / 'tls/server.pem'))}",
                    f"install -m 644 CLIENTS-CA.pem {shlex.quote(str(folder / 'tls/clients-ca.pem'))}",
                ),
            )
        )
    steps.append(_hand_over(choices, identities))
    steps += _database(choices, path)
    steps += [
        Step(
            "Give clinicians, pharmacists and applications an [[identities]] each, unless `--identity` did, or enrol "
            "them by two people once the server runs (docs/enrolment.md). Everybody who signs makes a key on their own "
            "machine and tells the public half:",
            (
                "attending keys signing --out NAME.pem",
                "attending keys token --out APPLICATION.token --days 365",
            ),
        ),
        Step(
            f"Before the first start, decide what keys are sealed under ([secrets] in {path}, docs/secrets.md): a "
            "passphrase, Vault or KMS. Afterwards `attending keys rewrap` moves them."
        ),
        Step(
            f"Name a model provider in {path} ([[providers]]), with the agreement under which it may see personal data "
            "(`phi_agreement`), and its key in a file of mode 600."
        ),
        Step(
            f"Give all of it to the user that runs the server, `{choices.user}`, and install the unit:",
            (
                f"useradd --system --home {shlex.quote(str(folder))} --shell /usr/sbin/nologin {choices.user}",
                f"chown -R {choices.user}: {' '.join(shlex.quote(str(one)) for one in _places(choices))}",
                f"install -m 644 {shlex.quote(str(folder / 'attending.service'))} /etc/systemd/system/",
            ),
        ),
        Step(check.what, (f"sudo -u {choices.user} attending doctor --config {path}",)),
        Step(
            "Start it, and write down the key of the log that it prints, in another place than this machine: auditors "
            "verify under that key.",
            ("systemctl daemon-reload", "systemctl enable --now attending", "journalctl -u attending -n 20"),
        ),
        Step(
            "Back it up every night, keys apart and for 30 days at most, so that an erasure becomes complete "
            "(docs/vault.md); and rehearse the way back:",
            (
                f"attending ledger backup --config {path} --out NIGHT.backup",
                "attending ledger restore --from NIGHT.backup --check",
            ),
        ),
        Step("From then on, by cron or a timer:", (f"attending doctor --config {path} --json --strict",)),
    ]
    return steps


def _hand_over(choices: Choices, identities: Mapping[str, Mapping[str, Any]]) -> Step:
    names = ", ".join(f"`{name}` ({one['role'].replace('_', ' ')})" for name, one in identities.items())
    if choices.with_authority:
        return Step(
            f"Hand each of {names} the folder of that name in identities/, by a way that only they see, and remove it "
            "from here."
        )
    return Step(
        f"Have certificates issued for {names} from the requests in identities/, and hand each their key and "
        "certificate by a way that only they see. Then remove the keys from here."
    )


DATABASE, LOGIN = "attending", "attending_app"
"""Where the connection string names none."""


def _identifier(name: str) -> str:
    """As SQL takes it: quoted, unless it is the same without (PostgreSQL, 4.1.1)."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _database(choices: Choices, path: str) -> list[Step]:
    if choices.database is None:
        return []
    from psycopg.conninfo import conninfo_to_dict

    given = conninfo_to_dict(choices.database)
    name, login = str(given.get("dbname") or DATABASE), str(given.get("user") or LOGIN)
    steps = [
        Step(
            "Have an administrator of PostgreSQL make the database and a login without any right "
            "(docs/postgresql.md says more), and prepare it:",
            (
                "psql -c "
                + shlex.quote(f"CREATE DATABASE {_identifier(name)} ENCODING 'UTF8' TEMPLATE template0"),
                f"psql -c {shlex.quote(f'CREATE ROLE {_identifier(login)} LOGIN')}"
                f" -c {shlex.quote(f'{chr(92)}password {_identifier(login)}')}",
                f"attending ledger migrate --config {path} --user postgres --grant-to {shlex.quote(login)}",
            ),
        )
    ]
    if choices.password_file is not None:
        steps.append(
            Step(
                "Put the login's password where the configuration names it, in one line:",
                (f"install -m 600 /dev/stdin {shlex.quote(str(choices.password_file))}",),
            )
        )
    return steps


def _places(choices: Choices) -> list[Any]:
    return [
        choices.folder,
        *(one for one in (choices.keys_folder, choices.published_folder) if one is not None),
    ]


def unit(choices: Choices, program: str) -> str:
    """A systemd unit: restarted when it fails, stopped with time to drain, and with no more of the machine than it
    needs (man 5 systemd.exec).
    """
    writable = " ".join(_escaped(str(one)) for one in _places(choices))
    config = _escaped(str(choices.folder / "attending.toml"))
    return f"""[Unit]
Description=Attending: release gate and audit ledger for clinical language models
Documentation=file://{_escaped(str(choices.folder / "NEXT-STEPS.md"))}
After=network-online.target postgresql.service time-sync.target
Wants=network-online.target time-sync.target

[Service]
User={choices.user}
ExecStart={_escaped(program)} serve --config {config}
Restart=on-failure
RestartSec=2
# A configuration that does not load does not get better by itself.
RestartPreventExitStatus=4
TimeoutStopSec={DRAIN_SECONDS}
# The server ends its check processes itself, once nothing waits for them.
KillMode=mixed
UMask=0077
LimitNOFILE=65536
# A core dump would hold texts in clear and keys.
LimitCORE=0
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectClock=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
CapabilityBoundingSet=

[Install]
WantedBy=multi-user.target
"""


def _escaped(text: str) -> str:
    """A word of a unit: quoted where it has a space, % and $ doubled (man 5 systemd.syntax)."""
    doubled = text.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{doubled}"' if " " in doubled else doubled

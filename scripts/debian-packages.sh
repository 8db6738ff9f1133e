#!/usr/bin/env bash
# Installs the Debian packages that some tests need beside pip packages: a C compiler for `make test-faults`.
# Idempotent, and quick when everything is there. Needs root or sudo otherwise.
set -euo pipefail
packages=(gcc libc6-dev)

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "Debian packages are installed: ${packages[*]}"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "error: no apt-get here; next: install a C compiler (\`gcc\` on PATH) and libc headers in your system's way" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: ${missing[*]} not installed; next: run $0 as root" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "installing ${missing[*]} ..."
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"

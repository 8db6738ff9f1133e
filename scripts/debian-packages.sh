#!/usr/bin/env bash
# Installs the Debian packages that some tests need beside pip packages: `faults` a C compiler for `make test-faults`,
# `browser` Chromium, npm and a typeface for `make test-browser` and `make screenshots`, `reports` poppler, qpdf and OpenSSL for
# `make test-reports`. All when no group is named.
# Idempotent, and quick when everything is there. Needs root or sudo otherwise.
set -euo pipefail
packages=()
for group in "${@:-faults browser reports}"; do
  for name in $group; do
    case "$name" in
      faults) packages+=(gcc libc6-dev) ;;
      browser)
        packages+=(chromium fonts-inter)
        # Another source's Node.js brings npm along, and Debian's conflicts with it.
        command -v npm >/dev/null || packages+=(npm)
        ;;
      reports) packages+=(poppler-utils qpdf openssl) ;;
      *) echo "error: no group \`$name\`; next: give faults, browser, reports or none" >&2; exit 4 ;;
    esac
  done
done

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -eq 0 ]; then
  echo "Debian packages are installed: ${packages[*]}"
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "error: no apt-get here; next: install ${missing[*]} in your system's way" >&2
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

#!/usr/bin/env bash
# Rewrites disposable_domains.txt beside this script from the newest release of the list.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install --quiet --no-deps --target "$work" disposable-email-domains

PYTHONPATH=$work python3 - >"$work/list" <<'PYTHON'
from importlib.metadata import version

from disposable_email_domains import blocklist

domains = sorted(domain.strip().lower() for domain in blocklist)
if len(domains) < 3000 or "mailinator.com" not in domains or not all(map(str.isascii, domains)):
    raise SystemExit("disposable_domains.sh: this is not the list we know")
print("# Domains of throw-away mailboxes, one a line, sorted. Written by disposable_domains.sh.")
print("# Source: https://github.com/disposable-email-domains/disposable-email-domains")
print("#   (CC0 1.0), by way of the package disposable-email-domains", version("disposable-email-domains"))
print("#   of the Python Package Index (MIT, Copyright (c) Dustin Ingram).")
print(*domains, sep="\n")
PYTHON
mv "$work/list" disposable_domains.txt
chmod 644 disposable_domains.txt
echo "disposable_domains.txt: $(grep -vc '^#' disposable_domains.txt) domains"

#!/usr/bin/env bash
# Makes a local authority and a certificate of it: make-authority.sh DIRECTORY [HOST]
set -euo pipefail
if [[ $# -lt 1 || $# -gt 2 ]]; then
    echo "Usage: $0 DIRECTORY [HOST]" >&2
    exit 2
fi
directory=$1
host=${2:-localhost}
umask 077
mkdir -p "$directory"
cd "$directory"
key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
    openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
key authority-key.pem
openssl req -new -x509 -key authority-key.pem -days 365 -subj "/CN=push-bouncer test authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" -out authority.pem
key server-key.pem
openssl req -new -key server-key.pem -subj "/CN=$host" -out server.csr
openssl x509 -req -in server.csr -CA authority.pem -CAkey authority-key.pem -CAcreateserial -days 90 -out server.pem \
    -extfile <(printf 'subjectAltName=DNS:%s,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$host") 2>/dev/null
rm -f server.csr authority.srl
echo "Made $directory/authority.pem, server.pem and server-key.pem for $host"

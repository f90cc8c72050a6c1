#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# Makes a private authority, and a certificate each for a server and a client, good for tests and for a few machines
# of one's own: certificates.sh FOLDER [NAME-OR-ADDRESS]... (of the server; localhost where there is none)
set -eu

# As long as browsers accept.
DAYS=825

if [ $# -eq 0 ]; then
    sed -n '3,4s/^# //p' "$0" >&2
    exit 2
fi
folder=$1
shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1 ::1

# Keys are nobody else's business.
umask 077
mkdir -p "$folder"
cd "$folder"

# request NAME SUBJECT: a key, and a request for a certificate of it.
request() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
        -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
}

# sign NAME EXTENSIONS: its certificate.
sign() {
    # Python since 3.13 wants the key identifiers.
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature subjectKeyIdentifier=hash \
        authorityKeyIdentifier=keyid "$2" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA authority.pem -CAkey authority-key.pem -CAcreateserial -days "$DAYS" \
        -extfile "$1.ext" -out "$1.pem" 2>/dev/null
    rm "$1.csr" "$1.ext"
}

# alternatives NAME...: as an extension names them.
alternatives() {
    list=
    for name in "$@"; do
        case $name in
            *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) list="$list,IP:$name" ;;
            *) list="$list,DNS:$name" ;;
        esac
    done
    echo "subjectAltName=${list#,}"
}

# One that is there already goes on: what it has signed stays good.
if [ ! -e authority.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj "/CN=videosocket authority" -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout authority-key.pem -out authority.pem 2>/dev/null
fi
request server "$1"
sign server "$(alternatives "$@")"
request client "$(id -un)"
sign client extendedKeyUsage=clientAuth

echo "server:  tls-certificate-file=$folder/server.pem tls-private-key-file=$folder/server-key.pem"
echo "         tls-client-ca-file=$folder/authority.pem"
echo "client:  tls-ca-file=$folder/authority.pem"
echo "         tls-certificate-file=$folder/client.pem tls-private-key-file=$folder/client-key.pem"

#!/bin/sh
# Exit 0 while the server of this container answers /healthz, over TLS where it is on.
port=${VOXLOOM_PORT:-8000}
case ${VOXLOOM_TLS:-off} in
  off | "") exec curl --silent --fail --max-time 4 --output /dev/null "http://127.0.0.1:$port/healthz" ;;
  # The certificate is the server's own; who answers on this loopback is not in doubt.
  *) exec curl --silent --fail --insecure --max-time 4 --output /dev/null "https://127.0.0.1:$port/healthz" ;;
esac

"""The health server of grpcio: `python health_server.py [CERTIFICATE]` prints its ports, and serves on loopback.

With HEALTH_ADDRESS it serves there. A line `shop NOT_SERVING` on its standard input changes the health of a service.
"""

from __future__ import annotations

import os
import sys
from concurrent import futures
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

server = grpc.server(futures.ThreadPoolExecutor(2))
servicer = health.HealthServicer()
servicer.set("shop", health_pb2.HealthCheckResponse.SERVING)
servicer.set("cart", health_pb2.HealthCheckResponse.NOT_SERVING)
health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
bare = grpc.server(futures.ThreadPoolExecutor(1))  # without a health service
own = f"{os.environ.get('HEALTH_ADDRESS', '127.0.0.1')}:0"
if sys.argv[1:]:
    pem = Path(sys.argv[1]).read_bytes()
    key = pem[pem.index(b"-----BEGIN PRIVATE") :]
    port = server.add_secure_port(own, grpc.ssl_server_credentials([(key, pem)]))
else:
    port = server.add_insecure_port(own)
other = bare.add_insecure_port("127.0.0.1:0")
server.start()
bare.start()
print(port, other, flush=True)
for line in sys.stdin:
    service, status = line.split()
    servicer.set(service, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
server.wait_for_termination()

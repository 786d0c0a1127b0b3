"""udp-echo: a service that answers every datagram with itself."""

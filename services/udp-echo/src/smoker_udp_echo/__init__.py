"""udp-echo: a service that sends every datagram back."""

"""tcp-echo: a service that answers every byte with itself."""

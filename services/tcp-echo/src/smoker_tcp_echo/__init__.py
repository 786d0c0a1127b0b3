"""tcp-echo: a service that sends every byte back."""

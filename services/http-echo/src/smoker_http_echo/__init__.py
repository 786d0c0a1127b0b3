"""http-echo: a service that answers HTTP requests with OK or with their own body."""

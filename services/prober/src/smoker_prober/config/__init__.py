"""What is probed beside the peers: the echo services and the targets of the settings."""

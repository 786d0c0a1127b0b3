"""Who the peers are, what is probed of them, and what they are answered."""

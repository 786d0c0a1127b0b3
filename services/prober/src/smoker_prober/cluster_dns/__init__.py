"""The cluster's DNS: what is asked of it by its Service, and of each of its pods."""

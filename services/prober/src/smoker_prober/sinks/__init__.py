"""Where results go. A sink takes a `Result` and measures nothing."""

"""The three echo servers, without settings, log and main. Each reports what it did to an observer."""

"""The prober: probes targets on a schedule and says what it found."""

"""The prober: probes targets on a schedule and reports each result."""

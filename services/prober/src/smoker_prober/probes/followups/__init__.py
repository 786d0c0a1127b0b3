"""What is asked after a probe: after a success a train and a large packet, after a failure the probe again."""

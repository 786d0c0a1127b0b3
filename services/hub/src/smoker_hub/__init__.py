"""The hub: reads what all probers know and says which layer, node or link is at fault."""

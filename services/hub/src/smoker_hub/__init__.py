"""The hub: reads the results of all probers and names the layer, node or link at fault."""

"""The page of the hub: a document made here, and the modules and styles that bring it to life."""

"""Work shared among machines by Ray: the only room that knows Ray."""

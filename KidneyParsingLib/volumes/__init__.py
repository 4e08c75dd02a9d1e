"""CT in, label maps out, and the geometry between them."""

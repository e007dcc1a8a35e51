"""Points, boxes and tracks on a map."""

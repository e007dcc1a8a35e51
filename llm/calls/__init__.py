"""One model call: whom to ask, budget, retries, circuits, waiting, and what is stored of it."""

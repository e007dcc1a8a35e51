"""One model call: which model to ask, budget, retries, outages, waiting, and what is stored of it."""

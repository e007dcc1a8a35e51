"""The durable engine: jobs, steps, retries. The only folder that knows DBOS."""

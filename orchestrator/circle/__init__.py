"""The circle: what is deployed is watched, each version is compared with the one before, and what is found is work."""

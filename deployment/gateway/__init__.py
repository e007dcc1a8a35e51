"""The gateway of durable objects: a small process of its own that owns the sockets, the processes and the routes of
many services, so that none of them ends with the daemon.

    python -m deployment.gateway FOLDER

    FOLDER/control.sock        what the daemon asks by: one line of JSON, one line back
    FOLDER/routes.sock         where services call each other, and each other's objects
    FOLDER/services/shop.json  what runs, and what was about to happen: written before it happens
"""

"""What the owner is told and may do, read from the database and left in it: for the command line and the control room.

It knows nothing of how either looks, and nothing of the engine, so that commands that only look stay quick.
"""

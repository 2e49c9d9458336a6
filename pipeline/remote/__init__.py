"""Places in object stores: their addresses, what is here of them, and moving what is not.

Belongs here: the library for object stores, and nothing but files and names. Does not belong here:
what the files hold, and Delta tables (`store.delta`).
"""

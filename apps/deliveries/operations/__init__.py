"""Work on many deliveries or events: asked for once, done by the engines chunk by chunk, watched and held on the way.

parameters.py says what can be asked for, kinds.py what is done about it, advancing.py how an operation gets on, and
services.py is for people: create, pause, resume, cancel. erasure.py is a chunk of an erasure, which is asked for in
erasure_request.py.
"""

"""The data plane's process: one address for all, of which the fast lane takes its calls and hands the others on.

uvicorn serves it; what is not the lane's goes to the control plane, gunicorn behind a Unix socket.
"""

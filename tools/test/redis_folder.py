"""Prints the data folder of a Redis: redis_folder.py PORT [CA_FILE], with the password in REDIS_PASSWORD.

redis-cli would wait without end for a TLS server where another program has taken the port.
"""

import os
import socket
import ssl
import sys

port, *authority = sys.argv[1:]
connection = socket.create_connection(("127.0.0.1", int(port)), timeout=2)
if authority:
    context = ssl.create_default_context(cafile=authority[0])
    connection = context.wrap_socket(connection, server_hostname="127.0.0.1")
replies = connection.makefile("rwb")
password = os.environ.get("REDIS_PASSWORD")
if password:
    replies.write(f"AUTH {password}\r\n".encode())
    replies.flush()
    replies.readline()
replies.write(b"CONFIG GET dir\r\n")
replies.flush()
# An array of two strings, each after its length.
print([replies.readline() for _ in range(5)][4].decode().strip())

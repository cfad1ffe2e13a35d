"""The network of the campaigns: exactly the packets between two nodes are held, and arrive when the way is open."""

import socket
import subprocess
import sys
import threading

from harness.network import Network
from harness.wait import rest, until

# Sends a byte and waits for it to come back, again and again; a line with the seconds that took.
CLIENT = """
import socket, sys, time
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while True:
    begin = time.monotonic()
    server.sendall(b"x")
    server.recv(1)
    print(time.monotonic() - begin, flush=True)
    time.sleep(0.1)
"""
CUT_S = 1.5


def test_a_cut_holds_what_one_node_sends_and_nothing_else(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        network = Network(tmp_path, tmp_path)
        port = network.before("server", f"127.0.0.1:{server.getsockname()[1]}").split(":")[1]
        network.start()
        clients, took = {}, {"one": [], "other": []}
        try:
            for name, seconds in took.items():
                argv = [sys.executable, "-c", CLIENT, port, "--config", str(tmp_path / f"{name}.yaml")]
                clients[name] = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
                threading.Thread(target=read, args=(clients[name], seconds), daemon=True).start()
            until("both to be answered", lambda: all(took.values()), 10)

            network.cut(["one"], ["server"], both_ways=False)
            rest(CUT_S)
            before = {name: len(seconds) for name, seconds in took.items()}
            network.heal()
            until("what was held to arrive", lambda: len(took["one"]) > before["one"], 10)
            assert max(took["one"]) > CUT_S / 2 and before["one"] < before["other"], took
            assert max(took["other"]) < CUT_S / 2, took

            network.slow(["other"], ["server"], 0.3, 1e6)
            until("the slow way", lambda: took["other"][-1] > 0.6, 10)
            assert took["one"][-1] < 0.3, took
        finally:
            for client in clients.values():
                client.kill()
            network.stop()


def echo(server):
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=send_back, args=(connection,), daemon=True).start()


def send_back(connection):
    while data := connection.recv(100):
        connection.sendall(data)


def read(client, seconds):
    for line in client.stdout:
        seconds.append(float(line))

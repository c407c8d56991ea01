"""The proxy of the tests itself: each of its faults is what it says, and heals."""
import contextlib
import socket
import threading

import proxy as proxies
import pytest

ANSWER = bytes(range(256)) * 40  # 10 240 bytes


@pytest.fixture
def server():
    """Answers each connection's first byte with ANSWER, and then closes it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                if connection.recv(1):
                    connection.sendall(ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(10)


@pytest.fixture
def proxy(server):
    with proxies.Proxy("127.0.0.1", server) as made:
        yield made


def connect(proxy):
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=20)
    connection.sendall(b"?")
    return connection


def read(connection, most=1 << 20):
    got = b""
    while len(got) < most:
        piece = connection.recv(most - len(got))
        if not piece:
            break
        got += piece
    return got


def test_without_a_fault_all_comes(proxy):
    with connect(proxy) as connection:
        assert read(connection) == ANSWER


def test_a_cut_ends_in_order(proxy):
    proxy.cut(after=1000)
    with connect(proxy) as connection:
        assert read(connection) == ANSWER[:1000]
    proxy.wait_for("cut")
    proxy.heal()
    with connect(proxy) as connection:
        assert read(connection) == ANSWER


def test_a_reset_is_an_error(proxy):
    proxy.reset(after=1000)
    with connect(proxy) as connection, pytest.raises(ConnectionResetError):
        read(connection)
    assert proxy.happened["reset"] == 1


def test_one_byte_is_corrupt(proxy):
    proxy.corrupt(after=1000)
    with connect(proxy) as connection:
        got = read(connection)
    assert len(got) == len(ANSWER)
    assert [i for i, byte in enumerate(got) if byte != ANSWER[i]] == [1000] and got[1000] == ANSWER[1000] ^ 0xFF


def test_what_stalls_goes_on_once_it_heals(proxy):
    proxy.stall(after=1000)
    with connect(proxy) as connection:
        assert read(connection, 1000) == ANSWER[:1000]
        proxy.wait_for("stall")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        proxy.heal()
        assert read(connection) == ANSWER[1000:]


def test_a_delay_is_passed_through(proxy):
    proxy.delay(0.05, towards="server")
    with connect(proxy) as connection:
        assert read(connection) == ANSWER
    assert proxy.happened["delay"] >= 1


def test_a_refused_connection_and_a_dropped_one(proxy):
    proxy.stall(after=10)
    with connect(proxy) as connection:
        assert read(connection, 10) == ANSWER[:10]
        proxy.drop()
        with pytest.raises(ConnectionResetError):
            read(connection)
    proxy.refuse()
    with pytest.raises((ConnectionResetError, BrokenPipeError)), connect(proxy) as connection:
        assert not read(connection, 1)
        raise ConnectionResetError

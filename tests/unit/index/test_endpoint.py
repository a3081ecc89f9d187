"""An embedding server behind an address: what it says is checked, and what it says wrongly is an error."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest

from panlect.errors import ConfigurationError, EgressRefusedError, EmbeddingError
from panlect.index import endpoint as endpoint_module
from panlect.index.endpoint import EndpointEmbedder
from panlect.index.models import Endpoint, ModelSpec

Answer = tuple[int, dict[str, str], bytes]
Serve = Callable[[Callable[[dict[str, Any]], Answer]], Endpoint]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "_waits", lambda: iter([0.0] * 4))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a scripted server; `asked` of the endpoint's server lists what it was sent."""
    servers: list[HTTPServer] = []

    def started(script: Callable[[dict[str, Any]], Answer]) -> Endpoint:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                asked.append((self.path, self.headers.get("authorization"), body))
                status, headers, answer = script(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                return

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        return Endpoint(f"http://{host}/v1", "secret-token", (host,))

    asked.clear()
    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


asked: list[tuple[str, str | None, dict[str, Any]]] = []


def vectors(body: dict[str, Any], dimension: int = 4) -> Answer:
    """An answer as OpenAI gives it, in an order of its own."""
    rows = [
        {"index": at, "embedding": [float(len(text)), 1.0, 2.0, 3.0][:dimension]}
        for at, text in enumerate(body["input"])
    ]
    return 200, {}, json.dumps({"data": rows[::-1]}).encode()


def test_vectors_come_back_in_the_order_of_the_texts_and_of_length_one(serve: Serve) -> None:
    embedder = EndpointEmbedder(ModelSpec("endpoint:small"), serve(vectors))
    made = embedder.embed(["a", "bbb"])
    assert embedder.dimension == 4
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0)
    assert made[1][0] > made[0][0]
    path, token, body = asked[-1]
    assert (path, token, body["model"]) == ("/v1/embeddings", "Bearer secret-token", "small")


def test_queries_and_documents_have_prompts_of_their_own(serve: Serve) -> None:
    spec = ModelSpec("endpoint:small", 4, query_prompt="query: ", document_prompt="code: ")
    embedder = EndpointEmbedder(spec, serve(vectors))
    embedder.embed(["x"])
    embedder.embed(["x"], query=True)
    assert [body["input"] for _, _, body in asked] == [["code: x"], ["query: x"]]
    assert asked[0][2]["dimensions"] == 4


def test_many_texts_are_asked_in_batches(serve: Serve) -> None:
    embedder = EndpointEmbedder(ModelSpec("endpoint:small", 4), serve(vectors))
    assert embedder.embed(["x"] * 150).shape == (150, 4)
    assert [len(body["input"]) for _, _, body in asked] == [64, 64, 22]


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_is_busy_is_asked_again(serve: Serve, status: int) -> None:
    answers = [(status, {"retry-after": "0"}, b"busy")]
    endpoint = serve(lambda body: answers.pop() if answers else vectors(body))
    assert EndpointEmbedder(ModelSpec("endpoint:small", 4), endpoint).embed(["x"]).shape == (1, 4)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b"broken"),
        (401, {}, b"who are you"),
        (302, {"location": "http://169.254.169.254/"}, b""),
        (200, {}, b"not json"),
        (200, {}, b'{"data": []}'),
        (200, {}, b'{"data": [{"index": 0, "embedding": ["x", "y"]}]}'),
        (200, {}, b'{"data": [{"index": 1, "embedding": [1, 2, 3, 4]}]}'),
        (200, {}, b'{"data": [{"index": 0, "embedding": [1, 2, NaN, 4]}]}'),
        (200, {}, b'{"data": [{"index": 0, "embedding": [1, 2, 3]}]}'),
        (200, {}, b"[" * 100_000),
    ],
    ids=[
        "broken", "refused", "redirect", "prose", "nothing", "words", "another index", "not a number",
        "too short", "deep",
    ],
)  # fmt: skip
def test_anything_else_is_an_error_that_names_no_token(serve: Serve, answer: Answer) -> None:
    embedder = EndpointEmbedder(ModelSpec("endpoint:small", 4), serve(lambda _: answer))
    with pytest.raises(EmbeddingError) as caught:
        embedder.embed(["x"])
    assert "secret-token" not in str(caught.value)


def test_an_answer_without_end_is_cut(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "_MAX_ANSWER", 1000)
    embedder = EndpointEmbedder(ModelSpec("endpoint:small", 4), serve(lambda _: (200, {}, b" " * 2000)))
    with pytest.raises(EmbeddingError, match="too long"):
        embedder.embed(["x"])


def test_an_address_that_is_private_is_refused_unless_it_is_allowed(serve: Serve) -> None:
    endpoint = serve(vectors)
    embedder = EndpointEmbedder(ModelSpec("endpoint:small", 4), Endpoint(endpoint.url))
    with pytest.raises(EgressRefusedError):
        embedder.embed(["x"])


def test_an_endpoint_without_an_address_says_which_setting_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="PANLECT_EMBED_URL"):
        EndpointEmbedder(ModelSpec("endpoint:small"), Endpoint())


def test_a_batch_of_another_length_is_an_error(serve: Serve) -> None:
    lengths = [4, 3]
    endpoint = serve(lambda body: vectors(body, lengths.pop(0)))
    with pytest.raises(EmbeddingError, match="3 numbers, not 4"):
        EndpointEmbedder(ModelSpec("endpoint:small", 4), endpoint).embed(["x"] * 100)


def test_a_wait_that_is_no_number_is_passed_over(serve: Serve) -> None:
    answers = [(429, {"retry-after": "\xb2"}, b"busy")]
    endpoint = serve(lambda body: answers.pop() if answers else vectors(body))
    assert EndpointEmbedder(ModelSpec("endpoint:small", 4), endpoint).embed(["x"]).shape == (1, 4)


def test_nothing_is_asked_before_there_is_something_to_embed() -> None:
    EndpointEmbedder(ModelSpec("endpoint:small"), Endpoint("http://127.0.0.1:1/v1"))

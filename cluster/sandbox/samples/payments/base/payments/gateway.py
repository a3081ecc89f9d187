"""The bank's side: captures and refunds over its API."""

from payments.money import Money


class BankError(Exception):
    """The bank refused; `retryable` says whether it may accept later."""

    def __init__(self, reason: str, retryable: bool) -> None:
        super().__init__(reason)
        self.retryable = retryable


class Gateway:
    """Sends requests to the bank through `send`, which takes a path and a body."""

    def __init__(self, send):
        self._send = send

    def capture(self, order_id: str, amount: Money) -> str:
        """Take the money that was reserved for an order; the bank's reference."""
        return self._request("/captures", {"order": order_id, "cents": amount.cents})

    def refund(self, reference: str, amount: Money) -> str:
        """Give money back for a capture; the bank's reference."""
        return self._request("/refunds", {"capture": reference, "cents": amount.cents})

    def _request(self, path: str, body: dict) -> str:
        answer = self._send(path, body)
        if answer["status"] != "ok":
            raise BankError(answer["reason"], retryable=answer["status"] == "later")
        return answer["reference"]

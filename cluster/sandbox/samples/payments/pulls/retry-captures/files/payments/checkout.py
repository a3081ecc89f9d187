"""An order becomes a captured payment."""

from dataclasses import dataclass

from payments.gateway import Gateway
from payments.ledger import Entry, Ledger
from payments.money import Money


@dataclass(frozen=True)
class Order:
    id: str
    total: Money


def capture_order(gateway: Gateway, ledger: Ledger, order: Order, idempotency_key: str) -> Entry:
    """Capture an order once for each key, and write it down."""
    reference = gateway.capture(f"{order.id}:{idempotency_key}", order.total)
    return ledger.record(order.id, reference, order.total)


def refund_order(gateway: Gateway, ledger: Ledger, order: Order) -> list[Entry]:
    """Refund every capture of an order."""
    refunded = []
    for entry in ledger.find(order.id):
        reference = gateway.refund(entry.reference, entry.amount)
        refunded.append(ledger.record(order.id, reference, Money(-entry.amount.cents, entry.amount.currency)))
    return refunded

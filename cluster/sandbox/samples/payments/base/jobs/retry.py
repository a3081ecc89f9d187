"""Every ten minutes: try again what the bank refused for now."""

from payments.checkout import Order, capture_order
from payments.gateway import BankError


def retry_captures(gateway, ledger, waiting: list[Order]) -> list[Order]:
    """Capture what waits; the orders that still wait afterwards."""
    still_waiting = []
    for order in waiting:
        try:
            capture_order(gateway, ledger, order)
        except BankError as error:
            if error.retryable:
                still_waiting.append(order)
    return still_waiting

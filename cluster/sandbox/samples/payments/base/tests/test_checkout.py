from payments.checkout import Order, capture_order, refund_order
from payments.gateway import Gateway
from payments.ledger import Ledger, balance_of
from payments.money import Money


def bank(path, body):
    return {"status": "ok", "reference": f"{path[1:]}-1"}


def test_a_captured_order_is_in_the_ledger():
    ledger = Ledger()
    capture_order(Gateway(bank), ledger, Order("A1", Money(1999)))
    assert balance_of(ledger) == Money(1999)


def test_a_refund_brings_the_balance_to_zero():
    ledger, order = Ledger(), Order("A1", Money(1999))
    capture_order(Gateway(bank), ledger, order)
    refund_order(Gateway(bank), ledger, order)
    assert balance_of(ledger) == Money(0)

from decimal import Decimal

from payments.money import Money, share


def test_a_share_is_rounded_to_a_cent():
    assert share(Money(1001), Decimal("2.5")) == Money(25)

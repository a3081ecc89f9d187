-- name: store_delivery
-- Null when it is stored already: the host sent it twice, or we answered too late the first time.
select store_delivery(%(connection_id)s, %(delivery_id)s, %(forge)s, %(event)s, %(action)s, %(repository)s,
                      %(pull_request)s, %(headers)s, %(body)s)

-- name: delivery_enqueued
-- Which wake-up belongs to the delivery.
select delivery_enqueued(%(delivery)s, %(job_id)s)

-- name: take_delivery
-- Counts the attempt first, so that a delivery which kills its worker comes to an end as well.
select id, organisation_id, connection_id, delivery_id, forge, event, action, repository, pull_request, body, attempts
from take_delivery(%(delivery)s)

-- name: finish_delivery
-- Does nothing when it ended before.
select finish_delivery(%(delivery)s, %(state)s, %(reason)s)

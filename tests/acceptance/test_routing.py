"""Filters and transformations from outside: what is wanted arrives, changed and signed; what is not never does."""

from standardwebhooks import Webhook

from tests.acceptance.project import API, Project, expect
from tests.receiver import Receiver

FILTER = "event.data.lines.exists(l, l.price > 100)"  # judged as the event comes in
HEAVY = "event.data.lines.filter(l, l.price > 100).size() == 1"  # judged by an engine
TEMPLATE = '{"text": {{ (event.data.who ~ " paid " ~ event.data.lines[0].price) | tojson }}}'
DEAR, CHEAP = ({"who": "Ann", "lines": [{"price": price}]} for price in (250, 5))


def test_only_what_is_wanted_arrives_transformed_and_signed(project: Project, receiver: Receiver) -> None:
    destinations = {
        path: project.destination(
            receiver.url(path), event_types=["invoice.*"], filter=text, transform={"template": TEMPLATE, "raw": True}
        )
        for path, text in (("/inline", FILTER), ("/heavy", HEAVY))
    }
    cheap, dear = (project.publish("invoice.routed", data) for data in (CHEAP, DEAR))
    receiver.wait_until(lambda: len([one for one in list(receiver.requests) if one.path in destinations]) >= 2)
    for path, destination in destinations.items():
        [request] = [one for one in list(receiver.requests) if one.path == path]
        assert request.headers["webhook-id"] == dear
        assert Webhook(destination["secret"]).verify(request.body, request.headers) == {"text": "Ann paid 250"}
        page = f"{API}/destinations/{destination['id']}/preview"
        found = expect(200, project.client.post(page, {"event_id": dear}))
        assert (found["matches"], found["body"].encode()) == (True, request.body)
        assert not expect(200, project.client.post(page, {"event_id": cheap}))["matches"]
    assert project.deliveries(event=cheap) == []

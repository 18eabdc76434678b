"""Whatever kinds of saved search there are, each is taken, offered, listed and mailed."""

from __future__ import annotations

from typing import get_args

import pytest

from alerts.definitions import UsageError, with_fields
from alerts.kinds import EVENT_KINDS, KINDS
from alerts.kinds.kind import Kind
from alerts.saved import read_search
from cli.alert_options import OPTIONS
from delivery import documents
from delivery.channels.registry import parse_address
from delivery.story_views import LABELS
from newswatch.delivery import Delivery, DeliveryState
from store.elastic.documents import dump
from tests.alerts.press import a_search
from tests.factories import NOW


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_saved_search_of_it_is_taken_and_read(kind: Kind) -> None:
    search = with_fields(a_search("ice", "glacier"), {"kind": kind.name}, parse_address)
    assert read_search("ice", {"definition": dump(search)}).kind == kind.name


def test_a_kind_that_is_none_is_refused_and_one_that_was_stored_can_t_be_read() -> None:
    with pytest.raises(UsageError, match=r"kind: must be 'query', 'spike' or 'silence' \(given: 'storm'\)"):
        with_fields(a_search("ice"), {"kind": "storm"}, parse_address)
    with pytest.raises(ValueError, match="'storm' is none of query, spike, silence"):
        read_search("ice", {"definition": dump(a_search("ice", kind="storm"))})


@pytest.mark.parametrize("kind", EVENT_KINDS, ids=lambda kind: kind.name)
def test_its_event_is_a_delivery_with_a_label(kind: Kind) -> None:
    assert LABELS[kind.name] == kind.label != ""
    whole = ("ice", "Ice", f"{kind.name}-1", "", ("ann@reader.example",), DeliveryState.PENDING, NOW)
    owed = Delivery(*whole, kind=kind.name)
    assert documents.read_delivery(owed.id, documents.delivery_document(owed)) == owed


def test_a_delivery_of_no_kind_can_t_be_read() -> None:
    odd = Delivery("ice", "Ice", "s", "a", ("ann@reader.example",), DeliveryState.PENDING, NOW, kind="storm")
    with pytest.raises(ValueError, match="'storm' must be one of"):
        documents.read_delivery(odd.id, documents.delivery_document(odd))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_command_line_names_it(kind: Kind) -> None:
    assert f"{kind.name} (" in get_args(OPTIONS["fires_on"][1])[1].help


def test_a_kind_says_all_that_is_shown_of_it() -> None:
    assert all(kind.choice for kind in KINDS.values())
    assert all(kind.watches for kind in EVENT_KINDS), "a list of saved searches tells them apart"

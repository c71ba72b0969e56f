"""Ports: the same as the last time where possible, never somebody else's."""

from pathlib import Path

import pytest

from dev.ports import Port, PortTaken, front_ports, inner_ports


def test_a_held_port_cannot_be_taken_until_it_is_released() -> None:
    port = Port()
    with pytest.raises(PortTaken):
        Port(port.number)
    port.release()
    Port(port.number).release()


def test_inner_ports_stay_the_same(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    numbers = [port.release() for port in inner_ports([["a"], ["b"]], memory).values()]
    assert [port.release() for port in inner_ports([["a"], ["b"]], memory).values()] == numbers


def test_an_inner_port_that_is_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    memory = tmp_path / "ports.json"
    ports = inner_ports([["a"], ["b"]], memory)
    kept = ports["b"].release()
    again = inner_ports([["a"], ["b"]], memory)
    assert again["a"].release() != ports["a"].release()
    assert again["b"].release() == kept


def test_two_clones_get_two_pairs_of_front_ports() -> None:
    pairs = [front_ports(None, None), front_ports(None, None)]
    numbers = [port.release() for pair in pairs for port in pair]
    assert len(set(numbers)) == 4
    assert numbers[1] - numbers[0] == numbers[3] - numbers[2] == 1


def test_a_front_port_that_was_asked_for_is_never_replaced() -> None:
    taken = Port()
    with pytest.raises(PortTaken, match=str(taken.number)):
        front_ports(None, taken.number)
    taken.release()


def test_a_front_port_that_was_asked_for_is_given() -> None:
    free = Port().release()
    core, stats = front_ports(None, free)
    assert stats.release() == free
    assert core.release() >= 8000

"""A user's own test: it needs nothing but `pip install stellwerk[test]`. Quoted in the README."""


def test_my_receiver_sees_a_whole_train(agipd_module, manual_clock):
    agipd_module.start(trains=1)
    manual_clock.advance(0.2)
    datagrams = agipd_module.datagrams(129)
    assert datagrams[0][:8] == bytes.fromhex("CEFAEFBE46445458")
    assert sum(len(datagram) - 8 for datagram in datagrams) == 1_054_208


def test_my_receiver_notices_a_lost_datagram(agipd_module, manual_clock, faults):
    faults.on("agipd", "drop_packets", fraction=0.5)
    agipd_module.start(trains=1)
    manual_clock.advance(0.2)
    assert faults.struck("agipd")["drop_packets"] == 1

def test_they_have_pytorchs_names_too():
    from drivetrain.nn.utils import rnn

    for name in (
        "PackedSequence",
        "pack_padded_sequence",
        "pad_packed_sequence",
        "pad_sequence",
        "unpad_sequence",
    ):
        assert getattr(rnn, name) is getattr(nn.utils, name)

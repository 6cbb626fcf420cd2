"""Exact speed-ups of a fine-tuning: each named, each with a plain twin and an equality test.

They leave the model's function and its gradients as they are, up to rounding. Dropout draws other
random numbers under them, of the same distribution (fast-dropout rounds its probability to the
nearest 1/65536), so a run with them is another sample of the same experiment. Each switches itself
off for a model, a setting or a machine that it does not know.
"""

FAST_DROPOUT = "fast-dropout"
"""Dropout masks inside the layers come from whole random words, four decisions to a word."""
FIRST_TOKEN = "first-token"  # noqa: S105 - no password
"""The last layer computes only the token that the classification head reads."""
KEPT_MEMORY = "kept-memory"
"""Freed memory stays with the process, so that every step does not ask the kernel for it again."""
MEMORY_CHECKPOINT = "memory-checkpoint"
"""The best epoch's weights are kept in memory instead of in a checkpoint folder an epoch."""
PACKING = "packing"
"""The layers' projections and norms see a batch's real tokens only, their attention padding too."""
SORTED_EVALUATION = "sorted-evaluation"
"""Evaluation batches hold sentences of like length; logits come back in the split's order."""
USED_VOCABULARY = "used-vocabulary"
"""Only the embedding rows of tokens that occur in the data are trained; the rest only decay."""

NAMES = (
    FAST_DROPOUT,
    FIRST_TOKEN,
    KEPT_MEMORY,
    MEMORY_CHECKPOINT,
    PACKING,
    SORTED_EVALUATION,
    USED_VOCABULARY,
)
